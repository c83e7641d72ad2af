import type pg from 'pg';
import type { DumpProof } from '../../contract/dump-activities.ts';
import type { DumpRequest } from '../../contract/dump-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { readAbilities } from '../../postgres/dump-needs.ts';
import { quoteIdentifier } from '../../postgres/identifier.ts';

/**
 * Looks whether a server can take a dump: its version, and the extensions and roles that the dump needs.
 *
 * @returns with `allowErrors`: what is missing all the same
 * @throws ThawError `SchemaIncompatible` naming everything that is missing, with the remedies
 */
export async function checkNeeds(
  client: pg.Client,
  { dump, serverVersion, extensions, roles, format }: DumpProof,
  { options, allowErrors }: Pick<DumpRequest, 'options' | 'allowErrors'>,
): Promise<readonly string[]> {
  const leavesOut = options.includes('--no-owner') && leavesOutPrivileges(options);
  // A dump of a whole cluster makes its roles itself.
  const needed = leavesOut || format === 'cluster' ? [] : roles.filter((role) => !isPredefined(role));
  const { version, major, missingExtensions, missingRoles } = await readAbilities(client, extensions, needed);
  const faults: { readonly says: string; readonly hint: string }[] = [];
  const dumped = Number(/^\d+/.exec(serverVersion ?? '')?.[0] ?? 0);
  if (dumped > major) {
    faults.push({
      says: `it is of PostgreSQL ${serverVersion}, and the server is ${version}, which is older`,
      hint: `Restore into PostgreSQL ${dumped} or newer.`,
    });
  }
  if (missingExtensions.length > 0) {
    faults.push({
      says: `it needs ${some('the extension', missingExtensions)}, not installed on the server's machine`,
      hint: 'Install the packages that bring them.',
    });
  }
  if (missingRoles.length > 0) {
    const made = missingRoles.map((role) => `create role ${quoteIdentifier(role)};`).join(' ');
    faults.push({
      says: `it needs ${some('the role', missingRoles)}, which the server does not have`,
      hint: `Run: ${made} or leave owners and privileges out: --restore-options '--no-owner --no-privileges'.`,
    });
  }
  if (allowErrors) return faults.map(({ says }) => `${dump.key}: ${says}.`);
  if (faults.length === 0) return [];
  throw new ThawError('SchemaIncompatible', `${dump.key}: ${faults.map(({ says }) => says).join('; ')}.`, {
    object: dump.key,
    hint: faults.map(({ hint }) => hint).join(' '),
  });
}

function leavesOutPrivileges(options: readonly string[]): boolean {
  return options.includes('--no-privileges') || options.includes('--no-acl');
}

/** Roles that every server has, or that stand for everybody. */
function isPredefined(role: string): boolean {
  return role.startsWith('pg_') || role.toLowerCase() === 'public';
}

function some(noun: string, names: readonly string[]): string {
  return names.length === 1 ? `${noun} ${names[0]}` : `${noun}s ${names.join(', ')}`;
}
