import type pg from 'pg';
import {
  changeHands,
  grantStatements,
  readAcls,
  revokeStatements,
  shortfall,
  surplus,
} from '../../postgres/acl.ts';
import { applyInTransaction } from '../../postgres/apply-statements.ts';
import { readSettings, settingStatements } from '../../postgres/database-settings.ts';
import {
  changeDatabaseOwner,
  type DatabaseRow,
  limitConnections,
  readDatabase,
} from '../../postgres/databases.ts';
import { quoteIdentifier } from '../../postgres/identifier.ts';
import type { DatabaseState } from './database-record.ts';

/** Reads what {@link carryDatabase} carries. */
export async function readState(client: pg.Client, live: DatabaseRow): Promise<DatabaseState> {
  const { owner, encoding, collate, ctype, provider, locale, icuRules, tablespace } = live;
  const { connectionLimit, comment, acl } = live;
  return {
    ...{ owner, encoding, collate, ctype, provider, locale, icuRules, tablespace },
    ...{ connectionLimit, comment, acl, settings: await readSettings(client, live.name) },
  };
}

/**
 * Gives a database what the live one has that no dump of it holds: owner, privileges, settings of the database
 * and of roles in it, and the limit of connections. Where there is no live one it gets what databases have.
 *
 * @param client a session in the maintenance database, in the transaction that swaps
 * @param owner null: that of the live one, else the one that it has
 * @returns what could not be carried over
 */
export async function carryDatabase(
  client: pg.Client,
  live: DatabaseState | null,
  name: string,
  owner: string | null,
): Promise<string[]> {
  const wanted = owner ?? live?.owner ?? null;
  if (wanted !== null) await changeDatabaseOwner(client, name, wanted);
  const privileges = await carryPrivileges(client, live, name);
  if (live === null) return privileges;
  await limitConnections(client, name, live.connectionLimit);
  const settings = settingStatements(name, await readSettings(client, name), live.settings);
  return [...privileges, ...(await applyInTransaction(client, settings))];
}

async function carryPrivileges(
  client: pg.Client,
  live: DatabaseState | null,
  name: string,
): Promise<string[]> {
  const before = await comparePrivileges(client, live, name);
  const revokes = revokeStatements(before.place, surplus(before.have, before.want));
  const failures = await applyInTransaction(client, revokes);
  // Revoking takes along what was handed on, which may be wanted.
  const { place, have, want } = await comparePrivileges(client, live, name);
  const grants = grantStatements(place, shortfall(have, want, place.owner));
  return [...failures, ...(await applyInTransaction(client, grants))];
}

async function comparePrivileges(client: pg.Client, live: DatabaseState | null, name: string) {
  const fresh = await readDatabase(client, name);
  if (fresh === null) throw new TypeError(`The database ${name} is gone.`);
  const { owner } = fresh;
  const source = live ?? { owner, acl: fresh.defaultAcl };
  const acls = await readAcls(client, [fresh.acl, source.acl]);
  return {
    place: { on: `database ${quoteIdentifier(name)}`, owner },
    have: acls.get(fresh.acl) ?? [],
    want: changeHands(acls.get(source.acl) ?? [], source.owner, owner),
  };
}
