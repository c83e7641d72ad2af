import { afterAll, beforeAll, expect, test } from 'vitest';
import { carryOver } from '../../src/dump/swap/carry-over.ts';
import { createBeside } from '../../src/dump/swap/create-beside.ts';
import { swap } from '../../src/dump/swap/swap.ts';
import { dumpSessionPrefix } from '../../src/postgres/database-lock.ts';
import { readDatabase } from '../../src/postgres/databases.ts';
import { quoteIdentifier as q } from '../../src/postgres/identifier.ts';
import { TestDatabases } from './databases.ts';
import { rightsSql, type ZooRoles, zooObjects, zooRights } from './rights-zoo.ts';

let server: TestDatabases;
let roles: ZooRoles;

beforeAll(async () => {
  server = new TestDatabases();
  roles = {
    owner: await server.role('owner', 'createdb'),
    app: await server.role('app'),
    reader: await server.role('reader'),
    lead: await server.role('lead'),
  };
});

afterAll(() => server.close());

/** A live database made by those statements, and one beside it. */
async function prepare(begin: string, sql: string, user?: string) {
  const database = server.name(begin);
  await server.admin(`create database ${q(database)} owner ${q(roles.owner)}`);
  await server.admin(sql, database);
  const restoreId = `${begin}-${server.mark}`;
  const client = await server.open('postgres', user, `${dumpSessionPrefix(restoreId)}1`);
  const fresh = await createBeside(client, { database, restoreId }, null);
  return { database, restoreId, client, fresh };
}

async function rights(database: string): Promise<string[]> {
  return (await server.admin(rightsSql, database)).map(({ line }) => String(line));
}

async function carry(live: string, fresh: string, owner: string | null = null, user?: string) {
  const clients = { live: await server.open(live, user), fresh: await server.open(fresh, user) };
  return carryOver({ ...clients, owner });
}

test('owners and privileges of everything are those of the live database', async () => {
  const { database, fresh } = await prepare('zoo', zooObjects + zooRights(roles));
  await server.admin(zooObjects, fresh);
  const wanted = await rights(database);
  expect(await rights(fresh)).not.toEqual(wanted);
  expect(await carry(database, fresh)).toEqual([]);
  expect(await rights(fresh)).toEqual(wanted);
  // an attempt that is repeated finds nothing to do
  expect(await carry(database, fresh)).toEqual([]);
  expect(await rights(fresh)).toEqual(wanted);
});

test('the database itself has the privileges, settings and limits of the live one, from the moment it is live', async () => {
  const { database, restoreId, client, fresh } = await prepare('settings', 'select 1');
  const [d, a, r, l] = [q(database), q(roles.app), q(roles.reader), q(roles.lead)];
  await server.admin(`
    comment on database ${d} is 'one';
    alter database ${d} connection limit 17;
    alter database ${d} set search_path to "a, b", "$user", 'C ''d', public;
    alter database ${d} set temp_tablespaces to '';
    alter database ${d} set work_mem to '7MB';
    alter database ${d} set "my_app.word" to 'a"b''c\\d, e';
    alter database ${d} set default_transaction_read_only to on;
    alter role ${r} in database ${d} set search_path to '';
    alter role ${r} in database ${d} set statement_timeout to 5000;
    revoke all on database ${d} from public;
    grant connect, create on database ${d} to ${l} with grant option;
    set role ${l}; grant connect on database ${d} to ${r}; set role none;
    grant temporary on database ${d} to ${a}`);
  const state = async (name: string) => {
    const row = await readDatabase(client, name);
    const settings = await server.admin(`
      select coalesce(setrole::regrole::text, ''), unnest(setconfig) from pg_db_role_setting
      where setdatabase = ${row?.oid} order by 1, 2`);
    const acl = await server.admin(`
      select i.* from pg_database, aclexplode(datacl) as i where oid = ${row?.oid} order by 1, 2, 3`);
    return { settings, acl, owner: row?.owner, comment: row?.comment, limit: row?.connectionLimit };
  };
  const wanted = await state(database);
  expect([wanted.settings.length, wanted.acl.length]).toEqual([7, 7]);
  // what something else said of the fresh one meanwhile
  await server.admin(`
    alter database ${q(fresh)} set work_mem to '1MB'; alter database ${q(fresh)} set jit to off;
    grant create on database ${q(fresh)} to ${a} with grant option`);
  const live = await readDatabase(client, database);
  const order = { database, restoreId, fresh, liveOid: live?.oid ?? null, keepOldSeconds: 60 };
  expect((await swap(client, { ...order, owner: null })).notices).toEqual([]);
  expect(await state(database)).toEqual(wanted);
  expect(wanted.owner).toBe(roles.owner);
  await expect(server.open(database, roles.app)).rejects.toThrow('permission denied');
});
