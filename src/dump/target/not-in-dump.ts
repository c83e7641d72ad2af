import type pg from 'pg';
import { type DatabaseObject, functionsOfTypes, readContent } from '../../postgres/database-objects.ts';
import { administer } from '../../postgres/databases.ts';
import type { TocEntry } from '../format/toc.ts';

/** Kinds whose names both the catalog and the list of a dump tell in the same way. */
const compared = new Set([
  ...['schema', 'table', 'view', 'materialized view', 'foreign table', 'sequence', 'function', 'procedure'],
  ...['aggregate', 'type', 'extension', 'publication', 'event trigger'],
]);

/** Lines of notices. */
const told = 50;

/**
 * What a live database has and a dump does not, so that it is gone once the dump takes its place.
 *
 * @param client a session in the live database
 * @param toc contents of the dump; empty: it has no list
 * @returns at most {@link told} lines and one that counts the rest
 * @throws ThawError of the retryable kinds
 */
export async function notInDump(client: pg.Client, toc: readonly TocEntry[]): Promise<string[]> {
  if (toc.length === 0) {
    return ['The dump has no list of its objects: what the live database has besides is not known.'];
  }
  const objects = await administer('the live database', async () => {
    await client.query(`set search_path = ''; set default_transaction_read_only = on`);
    const made = new Set(await functionsOfTypes(client));
    return (await readContent(client)).objects.filter(({ identity }) => !made.has(identity));
  });
  const there = new Set(toc.map(({ schema, name }) => bare(schema === null ? name : `${schema}.${name}`)));
  const lines = objects
    .filter((object) => isOwn(object) && !there.has(bare(object.identity)))
    .map(({ type, identity, owner }) => `Not in the dump: ${type} ${identity}, of ${owner}.`);
  if (lines.length <= told) return lines;
  return [...lines.slice(0, told), `And ${lines.length - told} more that are not in the dump.`];
}

function isOwn({ type, follows, ofExtension, builtIn }: DatabaseObject): boolean {
  return compared.has(type) && !follows && !ofExtension && !builtIn;
}

/** The catalog quotes names, names the schema of built-in types, and writes no space between arguments; a dump does not. */
function bare(name: string): string {
  return name.replaceAll('"', '').replaceAll('pg_catalog.', '').replaceAll(', ', ',');
}
