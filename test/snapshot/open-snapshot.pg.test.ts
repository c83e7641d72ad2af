import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SnapshotSource, TenantPart } from '../../src/contract/snapshot.ts';
import { LoadProgress } from '../../src/load/load-progress.ts';
import { pitrSql } from '../../src/postgres/pitr-sql.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { dropSnapshotStage, stageSchema } from '../../src/postgres/snapshot-stage.ts';
import { markRolledBack } from '../../src/postgres/stored-snapshot.ts';
import { chooseTables, type TableChoice } from '../../src/snapshot/restore/choose-tables.ts';
import { openSnapshot, type SnapshotSite } from '../../src/snapshot/restore/open-snapshot.ts';
import { stageSnapshot } from '../../src/snapshot/restore/stage-snapshot.ts';
import { reopenStage, stagedRef } from '../../src/snapshot/restore/staged-refs.ts';
import { takeSnapshot } from '../../src/snapshot/write/take-snapshot.ts';
import { FolderStore } from '../../src/store/folder-store.ts';
import { openSession, type Session } from '../postgres/session.ts';
import { rowsOf } from './merge/merge-site.ts';

let session: Session;
let client: pg.Client;
let folder: string;
let site: SnapshotSite;
const { signal } = new AbortController();
const [mine, theirs] = ['6d1f0d5c-0000-4000-8000-000000000001', '6d1f0d5c-0000-4000-8000-000000000002'];
const tenant: TenantPart = { column: 'tenant_id', value: mine };
const all: TableChoice = { tables: null, tenant: null, newerBy: null };

beforeAll(async () => {
  session = await openSession('open_snapshot');
  client = session.client;
  folder = await mkdtemp(join(tmpdir(), 'thaw-open-'));
  const store = new FolderStore({ kind: 'folder', path: folder, prefix: '' });
  site = { place: { store, prefix: 'P' }, connect: () => session.open(), signal };
  await ensureSchema(client);
  await client.query(`
    create schema pitr;
    create table people (id integer primary key, tenant_id uuid not null, name text);
    create table pitr.teams (id integer primary key, tenant_id uuid not null, lead integer references people);
    insert into people select n, case n % 2 when 0 then uuid '${mine}' else '${theirs}' end, 'n' || n
    from generate_series(1, 6) as n;
    insert into pitr.teams select n, case n % 2 when 0 then uuid '${mine}' else '${theirs}' end, n
    from generate_series(1, 4) as n;`);
  await client.query(pitrSql('pitr'));
});
afterAll(async () => {
  await session.close();
  await rm(folder, { recursive: true, force: true });
});

async function take(id: string, part: TenantPart | null): Promise<SnapshotSource> {
  const tables = [
    { schema: 'pitr', table: 'teams' },
    { schema: 'public', table: 'people' },
  ];
  await takeSnapshot({
    request: {
      ...{ id, fingerprint: '', database: 'shop', name: 'before', type: 'manual', by: 'ada', tables },
      ...{ schemas: [], tenant: part, keep: null, readers: 2, partBytes: 100 },
    },
    ...{ place: site.place, progress: new LoadProgress(), signal },
    withConnection: async (_name, _signal, action) => action(await session.open()),
  });
  return { kind: 'stored', id };
}

async function rowOfTable(): Promise<{ readonly kind: 'table'; readonly id: string }> {
  const { rows } = await client.query<{ id: string }>(
    `select pitr.create_pitr_snapshot('${mine}', 'night', '{teams,people}', 'bob') as id`,
  );
  return { kind: 'table', id: rows[0]?.id ?? '' };
}

async function object(key: string): Promise<SnapshotSource> {
  const { rows } = await client.query<{ text: string }>(
    `select json_build_object(
       'pitr.teams', (select json_agg(t) from pitr.teams as t where tenant_id = $1),
       'people', (select json_agg(t) from people as t where tenant_id = $1))::text as text`,
    [mine],
  );
  await site.place.store.write(key, Buffer.from(rows[0]?.text ?? ''), 'application/json');
  return { kind: 'object', key };
}

/** Stages what a source has, and gives the rows of each stage. */
async function staged(source: SnapshotSource, choice: TableChoice) {
  const snapshot = await openSnapshot(source, site, client);
  const schema = stageSchema('one');
  const tables = await stageSnapshot(snapshot, await chooseTables(client, snapshot, choice), {
    ...{ schema, connections: 2, connect: site.connect, exact: true, signal },
  });
  const found = [];
  for (const { target, stage, tenant: part, rows } of tables) {
    found.push({
      ...{ table: `${target.schema}.${target.table}`, part, rows },
      staged: await rowsOf(client, `${stage.schema}.${stage.table}`),
    });
  }
  await dropSnapshotStage(client, schema);
  return { snapshot, found };
}

async function expected(where: string, part: TenantPart | null) {
  const tables = ['public.people', 'pitr.teams'];
  return Promise.all(
    tables.map(async (table) => {
      const rows = await rowsOf(client, `(select * from ${table} where ${where})`);
      return { table, part, rows: rows.length, staged: rows };
    }),
  );
}

test('stages the same rows from all three sources, parents first', async () => {
  const own = await expected(`tenant_id = '${mine}'`, tenant);
  const container = await staged(await take('one', null), all);
  expect(container.found).toEqual(await expected('true', null));
  expect(container.snapshot).toMatchObject({
    ...{ name: 'before', type: 'manual', createdBy: 'ada', expiresAt: null, rolledBack: false },
    ...{
      encoding: 'pg-text',
      tables: [{ table: 'teams', rows: 4 }, { columns: [{ type: 'integer' }, {}, {}] }],
    },
  });
  expect((await staged(await take('two', tenant), all)).found).toEqual(own);
  const row = await staged(await rowOfTable(), all);
  expect(row.found).toEqual(own);
  expect(row.snapshot).toMatchObject({ name: 'night', createdBy: 'bob', rolledBack: false });
  expect(row.snapshot.expiresAt).toMatch(/^\d{4}-.*Z$/);
  expect((await staged(await object(`P/${mine}/job-backup.json`), all)).found).toEqual(own);
});

test("takes one tenant's rows from a snapshot of whole tables, and none of another tenant's", async () => {
  const { found } = await staged(await take('three', null), { ...all, tenant });
  expect(found).toEqual(await expected(`tenant_id = '${mine}'`, tenant));
  const another = { ...all, tenant: { column: 'tenant_id', value: theirs } };
  await expect(staged(await take('four', tenant), another)).rejects.toMatchObject({
    code: 'InputInvalid',
    message: `public.people: the snapshot holds rows where tenant_id is ${mine}, and no others.`,
  });
});

test('tells that a snapshot was restored before, and of tables that it does not have', async () => {
  const row = await rowOfTable();
  await markRolledBack(client, { schema: 'pitr', id: row.id }, 'ada', 'r1');
  expect((await openSnapshot(row, site, client)).rolledBack).toBe(true);
  const source = await take('five', null);
  await client.query(
    `insert into thaw.snapshot_restores (restore_id, source_kind, source_place, source_id, request, state, merged_at)
     values ('r1', 'stored', $1, 'five', '{}', 'completed', now())`,
    [site.place.store.name],
  );
  const snapshot = await openSnapshot(source, site, client);
  expect(snapshot.rolledBack).toBe(true);
  const tables = [{ schema: 'public', table: 'pets' }];
  await expect(chooseTables(client, snapshot, { ...all, tables })).rejects.toMatchObject({
    code: 'ArchiveNotFound',
    message: 'The snapshot does not have public.pets.',
  });
  for (const kind of ['stored', 'table'] as const) {
    await expect(openSnapshot({ kind, id: 'none' }, site, client)).rejects.toMatchObject({
      code: 'ArchiveNotFound',
    });
  }
});

test('a stage that PostgreSQL has emptied or lost is none, and a table altered since is refused', async () => {
  const snapshot = await openSnapshot(await take('six', null), site, client);
  const schema = stageSchema('one');
  const options = { schema, connections: 1, connect: site.connect, exact: true, signal };
  const tables = [{ schema: 'public', table: 'people' }];
  const stage = async () =>
    stageSnapshot(snapshot, await chooseTables(client, snapshot, { ...all, tables }), options);
  const [staged] = await stage();
  if (staged === undefined) throw new Error('nothing is staged');
  const refs = [stagedRef(staged)];
  const reopen = () => reopenStage(client, schema, refs, { newerBy: null });
  expect(await reopen()).toMatchObject([{ stage: staged.stage, columns: staged.columns, tenant: null }]);
  await client.query('alter table people add later text');
  await expect(reopen()).rejects.toMatchObject({ code: 'SchemaIncompatible' });
  await client.query('alter table people drop later');
  await client.query(`truncate ${schema}.${staged.stage.table}`);
  expect(await reopen()).toBeNull();
  await dropSnapshotStage(client, schema);
  expect(await reopen()).toBeNull();
});
