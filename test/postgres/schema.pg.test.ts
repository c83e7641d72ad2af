import type pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureSchema, schemaSql, schemaVersion } from '../../src/postgres/schema.ts';
import { VersionedSchema } from '../../src/postgres/versioned-schema.ts';
import { openSession, type Session } from './session.ts';

let session: Session;
let client: pg.Client;

beforeEach(async () => {
  session = await openSession('schema');
  client = session.client;
});

afterEach(() => session.close());

async function tables(): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'thaw' order by 1`,
  );
  return rows.map(({ name }) => name);
}

const all = [
  'archived_schemas',
  'archives',
  'bundle_files',
  'bundle_models',
  'created_tables',
  'drills',
  'dropped_indexes',
  'dump_proofs',
  'dump_restores',
  'made_objects',
  'rejected_rows',
  'restores',
  'schema_version',
  'snapshot_foreign_keys',
  'snapshot_history',
  'snapshot_restores',
  'targets',
  'undo_rows',
  'undo_tables',
  'undoable_imports',
  'undos',
  'watermarks',
];

test('is made once, by however many come at the same time', async () => {
  const clients = await Promise.all(Array.from({ length: 6 }, () => session.open()));
  await Promise.all(clients.map(ensureSchema));
  expect(await tables()).toEqual(all);
  const { rows } = await client.query('select version from thaw.schema_version');
  expect(rows).toEqual([{ version: schemaVersion }]);
});

test('costs one query when it is there', async () => {
  await ensureSchema(client);
  const query = client.query;
  let queries = 0;
  client.query = ((...args: unknown[]) => {
    queries += 1;
    return Reflect.apply(query, client, args);
  }) as typeof client.query;
  await ensureSchema(client);
  expect(queries).toBe(1);
});

test('the printed SQL makes the same, and a user who may create nothing then works with it', async () => {
  const user = await session.makeUser();
  await client.query(schemaSql());
  expect(await tables()).toEqual(all);
  await client.query(`
    grant usage on schema thaw to "${user}";
    grant select, insert, update, delete on all tables in schema thaw to "${user}"`);
  const stranger = await session.open(user);
  await ensureSchema(stranger);
  await stranger.query(
    `insert into thaw.rejected_rows (restore_id, target_oid, key, line) values ('r', 1, 'k', 1)`,
  );
});

test('a schema without tables, made by an administrator, is filled', async () => {
  const user = await session.makeUser();
  await client.query(`create schema thaw authorization "${user}"`);
  await ensureSchema(await session.open(user));
  expect(await tables()).toEqual(all);
});

test.each([
  ['may not create it', ''],
  ['may not use it', schemaSql()],
])('a user who %s is told what an administrator has to run', async (_, before) => {
  const user = await session.makeUser();
  await client.query(before);
  const stranger = await session.open(user);
  await expect(ensureSchema(stranger)).rejects.toMatchObject({
    code: 'PermissionDenied',
    hint: expect.stringContaining('thaw schema --sql'),
  });
  // The session is not left in a failed transaction.
  expect((await stranger.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

test('a newer version is a hard stop', async () => {
  await ensureSchema(client);
  await client.query('insert into thaw.schema_version (version) values ($1)', [schemaVersion + 1]);
  await expect(ensureSchema(client)).rejects.toMatchObject({ code: 'ConfigInvalid', retryable: false });
});

test('one of the same version that another build made is told from it, with or without the mark', async () => {
  await ensureSchema(client);
  await client.query(`update thaw.schema_version set fingerprint = 'of another build'`);
  const stale = { code: 'ConfigInvalid', hint: expect.stringContaining('drop schema thaw cascade') };
  await expect(ensureSchema(client)).rejects.toMatchObject(stale);
  await client.query('alter table thaw.schema_version drop column fingerprint');
  await expect(ensureSchema(client)).rejects.toMatchObject(stale);
});

test('an older version that may not be brought up to date is told from one that is not there', async () => {
  const user = await session.makeUser();
  const definition = { name: 'growing', lock: 1, purpose: 'A test', printedBy: 'a test' };
  const first = {
    version: 1,
    sql: `
create table growing.schema_version (version integer primary key, fingerprint text);
insert into growing.schema_version (version) values (1);`,
  };
  const second = { version: 2, sql: 'insert into growing.schema_version (version) values (2);' };
  await new VersionedSchema({ ...definition, versions: [first] }).ensure(client);
  await client.query(`
    grant usage on schema growing to "${user}";
    grant select on growing.schema_version to "${user}"`);
  const grown = new VersionedSchema({ ...definition, versions: [first, second] });
  await expect(grown.ensure(await session.open(user))).rejects.toMatchObject({
    code: 'PermissionDenied',
    message: expect.stringContaining('it has version 1, and may not be brought to version 2'),
    hint: expect.stringContaining('as the owner of the schema'),
  });
  await grown.ensure(client);
  await grown.ensure(await session.open(user));
});

test('commits update the row of their table within its page, however many tables there are', async () => {
  await ensureSchema(client);
  await client.query(`
    insert into thaw.targets (target_oid, restore_id, epoch, ordered, lease_until)
    select n, 'r', 1, true, now() from generate_series(1, 200) as n`);
  const pages = async () => {
    const { rows } = await client.query<{ target: number; page: number }>(
      `select target_oid as target, (ctid::text::point)[0] as page from thaw.targets order by 1`,
    );
    return rows;
  };
  const before = await pages();
  await client.query('update thaw.targets set next_ordinal = 1');
  expect(await pages()).toEqual(before);
});
