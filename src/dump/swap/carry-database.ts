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
  readDatabaseLabels,
} from '../../postgres/databases.ts';
import { quoteIdentifier } from '../../postgres/identifier.ts';

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
  live: DatabaseRow | null,
  name: string,
  owner: string | null,
): Promise<string[]> {
  const wanted = owner ?? live?.owner ?? null;
  if (wanted !== null) await changeDatabaseOwner(client, name, wanted);
  const fresh = await readDatabase(client, name);
  if (fresh === null) return [];
  if (live !== null) await limitConnections(client, name, live.connectionLimit);
  const privileges = await carryPrivileges(client, live, fresh);
  const settings = live === null ? [] : await carrySettings(client, live, fresh);
  return [...privileges, ...settings, ...(live === null ? [] : await readLabels(client, live))];
}

async function carryPrivileges(
  client: pg.Client,
  live: DatabaseRow | null,
  fresh: DatabaseRow,
): Promise<string[]> {
  const { owner } = fresh;
  const place = { on: `database ${quoteIdentifier(fresh.name)}`, owner };
  const readBoth = async () => {
    const now = (await readDatabase(client, fresh.name)) ?? fresh;
    const source = live ?? { owner, acl: fresh.defaultAcl };
    const acls = await readAcls(client, [now.acl, source.acl]);
    const want = changeHands(acls.get(source.acl) ?? [], source.owner, owner);
    return { have: acls.get(now.acl) ?? [], want };
  };
  const before = await readBoth();
  const revokes = revokeStatements(place, surplus(before.have, before.want));
  const failures = await applyInTransaction(client, revokes);
  const { have, want } = await readBoth();
  const grants = grantStatements(place, shortfall(have, want, owner));
  return [...failures, ...(await applyInTransaction(client, grants))];
}

async function carrySettings(client: pg.Client, live: DatabaseRow, fresh: DatabaseRow): Promise<string[]> {
  const have = await readSettings(client, fresh.name);
  const want = await readSettings(client, live.name);
  return applyInTransaction(client, settingStatements(fresh.name, have, want));
}

async function readLabels(client: pg.Client, live: DatabaseRow): Promise<string[]> {
  const providers = await readDatabaseLabels(client, live.oid);
  return providers.map((provider) => `Not carried over: the security label of the database, by ${provider}.`);
}
