import { afterAll, beforeAll, expect, test } from 'vitest';
import { carryOver } from '../../src/dump/swap/carry-over.ts';
import { createBeside } from '../../src/dump/swap/create-beside.ts';
import { swap } from '../../src/dump/swap/swap.ts';
import { dumpSessionPrefix } from '../../src/postgres/database-lock.ts';
import { readDatabase } from '../../src/postgres/databases.ts';
import { quoteIdentifier as q } from '../../src/postgres/identifier.ts';
import { clientPrograms, describeWithPrograms, runWithUrl } from '../harness/client-programs.ts';
import { TestDatabases } from './databases.ts';
import { rightsSql, type ZooRoles, zooObjects, zooRights } from './rights-zoo.ts';

let server: TestDatabases;
let roles: ZooRoles;

/** For tests that have no objects to carry over, or have done it. */
const nothingCarried = { carry: async () => [] };

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

async function databaseAcl(oid: number | undefined) {
  return server.admin(`
    select i.* from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) as i
    where oid = ${oid} order by 1, 2, 3`);
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
    const acl = await databaseAcl(row?.oid);
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
  expect((await swap(client, { ...order, owner: null }, nothingCarried)).notices).toEqual([]);
  expect(await state(database)).toEqual(wanted);
  expect(wanted.owner).toBe(roles.owner);
  await expect(server.open(database, roles.app)).rejects.toThrow('permission denied');
});

test("an owner who is no superuser carries over what is its own and its members', and is told of the rest", async () => {
  const members = `
    create schema shop; create table shop.goods (id int); create function shop.f() returns int language sql as 'select 1';
    create table mine (a int);`;
  const [o, a, r, l] = [roles.owner, roles.app, roles.reader, roles.lead].map(q);
  // Who owns the table may not make one in its schema, nor schemas in the database, any more.
  const granted = `
    alter schema shop owner to ${a}; alter table shop.goods owner to ${l}; alter function shop.f() owner to ${a};
    alter table mine owner to ${o}; grant usage on schema shop to public; grant select on shop.goods to ${r} with grant option;
    set role ${r}; grant select on shop.goods to public; set role none;
    alter default privileges for role ${a} grant select on tables to ${r};
    grant execute on function pg_catalog.pg_read_file(text) to ${o}`;
  await server.admin(`grant ${a}, ${l} to ${o}`);
  const { database, restoreId, client, fresh } = await prepare('members', members + granted, roles.owner);
  await server.admin(members, fresh, roles.owner);
  const notices = await carry(database, fresh, null, roles.owner);
  expect(notices).toEqual([
    expect.stringContaining('grant execute on routine pg_catalog.pg_read_file(pg_catalog.text)'),
    expect.stringContaining('; instead: grant select on table shop.goods to public.'),
  ]);
  const told = (line: string) => line.includes('.pg_read_file(') || line.startsWith('table shop.goods');
  const [before, after] = [await rights(database), await rights(fresh)];
  expect(after.filter((line) => !told(line))).toEqual(before.filter((line) => !told(line)));
  const goods = after.find((line) => line.startsWith('table shop.goods')) ?? '';
  expect(goods).toContain(`SELECT to public by ${l}`);
  expect(goods).toContain(`SELECT to ${r} by ${l} grantable`);
  const live = await readDatabase(client, database);
  const order = { database, restoreId, fresh, liveOid: live?.oid ?? null, owner: null, keepOldSeconds: 0 };
  expect((await swap(client, order, nothingCarried)).notices).toEqual([]);
  const now = await readDatabase(client, database);
  expect(await databaseAcl(now?.oid)).toEqual(await databaseAcl(live?.oid));
  await server.admin(`revoke ${a}, ${l} from ${o}`);
});

test("an owner that is named has everything that is not built in; what was the owner's is its own", async () => {
  const made = 'create schema s; create table s.t (id serial); create extension citext;';
  const [a, r] = [q(roles.app), q(roles.reader)];
  const { database, restoreId, client, fresh } = await prepare(
    'named',
    `${made} alter table s.t owner to ${a}; grant select on s.t to ${r}`,
  );
  await server.admin(`${made} create table s.more (id int)`, fresh);
  expect(await carry(database, fresh, roles.lead)).toEqual([]);
  const lines = (await rights(fresh)).filter((line) =>
    /^(schema|table|sequence|extension) .*\bs\b/.test(line),
  );
  const lead = q(roles.lead);
  expect(lines.map((line) => line.split(': ')[0])).toEqual([
    `schema s of ${lead}`,
    `sequence s.t_id_seq of ${lead}`,
    `table s.more of ${lead}`,
    `table s.t of ${lead}`,
  ]);
  expect(lines[3]).toContain(`SELECT to ${r} by ${lead}`);
  expect(lines[3]).not.toContain(a);
  const live = await readDatabase(client, database);
  const order = { database, restoreId, fresh, liveOid: live?.oid ?? null, keepOldSeconds: 0 };
  await swap(client, { ...order, owner: roles.lead }, nothingCarried);
  expect(await readDatabase(client, database)).toMatchObject({ owner: roles.lead });
});

test('what one of the two alone has: the dump keeps its own, the live one has it listed, so many lines at most', async () => {
  const [a, r, o] = [q(roles.app), q(roles.reader), q(roles.owner)];
  const tables = Array.from({ length: 60 }, (_, at) => `create table gone_${at} (a int);`).join(' ');
  const both = 'create table common (a int, b int);';
  const { database, fresh } = await prepare(
    'alone',
    `${both} grant select (b) on common to ${r}; create publication lost; create schema lost;
     alter default privileges for role ${a} in schema lost grant select on tables to ${r}; ${tables}`,
  );
  await server.admin(
    `${both} alter table common drop column b; grant select on common to ${r};
     create schema added; create table added.kept (a int); alter table added.kept owner to ${a};
     grant insert on added.kept to ${r}; create table added.loaded (a int);
     alter default privileges for role ${a} in schema added grant select on tables to ${r};
     alter default privileges for role ${a} grant select on sequences to ${r}`,
    fresh,
  );
  const notices = await carry(database, fresh);
  expect(notices).toHaveLength(51);
  expect(notices.slice(0, 4)).toEqual([
    expect.stringContaining('Not carried over: grant select ("b") on table public.common'),
    expect.stringContaining('Not carried over: alter default privileges for role'),
    'Not in the new database: schema lost, of postgres.',
    'Not in the new database: table public.gone_0, of postgres.',
  ]);
  // sixty tables, a publication
  expect(notices.at(-1)).toBe('And 14 more that were not carried over.');
  const lines = await rights(fresh);
  const of = (begin: string) => lines.find((line) => line.startsWith(begin)) ?? '';
  expect(of('table added.kept')).toContain(`of ${a}:`);
  expect(of('table added.kept')).toContain(`INSERT to ${r} by ${a}`);
  expect(of('table added.loaded')).toContain(`of ${o}:`);
  expect(of('table public.common')).not.toContain(r);
  expect(lines.filter((line) => line.startsWith('default'))).toEqual([
    expect.stringContaining(`default ${a} added r of : SELECT to ${r}`),
  ]);
});

describeWithPrograms('as pg_dump sees it', () => {
  test('definitions, owners and privileges are the same to the letter', async () => {
    const { database, fresh } = await prepare('dumped', zooObjects + zooRights(roles));
    const dump = async (name: string, ...args: string[]) =>
      String(
        await runWithUrl(clientPrograms().pgDump, { url: server.url(name) }, ['--schema-only', ...args]),
      );
    await server.admin(plain(await dump(database, '--no-owner', '--no-privileges')), fresh);
    // definitions alone do not hold large objects
    await server.admin('select lo_create(4711), lo_create(4712)', fresh);
    expect(await carry(database, fresh)).toEqual([]);
    const lines = (text: string) => plain(text).split('\n').sort();
    expect(lines(await dump(fresh))).toEqual(lines(await dump(database)));
  });
});

/** Without the lines that psql alone understands, whose key is another in each dump. */
function plain(dump: string): string {
  return dump.replaceAll(/^\\(un)?restrict .*$/gm, '');
}
