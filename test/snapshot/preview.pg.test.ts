import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { findDatabase } from '../../src/config/database-config.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import type { ThawConfig } from '../../src/config/thaw-config.ts';
import type { SnapshotPreview } from '../../src/contract/snapshot-preview.ts';
import { LoadProgress } from '../../src/load/load-progress.ts';
import { withDatabase } from '../../src/postgres/connect-database.ts';
import { holdPreviewStage } from '../../src/postgres/preview-stage.ts';
import { type PreviewJob, previewSnapshot } from '../../src/snapshot/preview/preview-snapshot.ts';
import { takeSnapshot } from '../../src/snapshot/write/take-snapshot.ts';
import { openStore } from '../../src/store/open-store.ts';
import { thawHere } from '../cli/thaw-here.ts';
import { openSession, type Session } from '../postgres/session.ts';
import { recipe } from './replay/recipe.ts';

let session: Session;
let client: pg.Client;
let root: string;
let config: ThawConfig;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  session = await openSession('preview');
  client = session.client;
  root = await mkdtemp(join(tmpdir(), 'thaw-preview-'));
  await mkdir(join(root, 'store'));
  const path = join(root, 'config.yaml');
  const { database: name, ...place } = session.config;
  const text = JSON.stringify({
    version: '1.0',
    folder: 'store',
    databases: [{ name, ...place, tables: [] }],
  });
  await writeFile(path, text);
  config = parseConfig(text, path, {});
  env = { THAW_CONFIG: path };
});
afterAll(async () => {
  await session.close();
  await rm(root, { recursive: true, force: true });
});

/** Customers, and their orders, of which all have been changed since the snapshot `s`. */
beforeEach(async () => {
  await rm(join(root, 'store/snapshots'), { recursive: true, force: true });
  await client.query(`
    drop schema public cascade; create schema public;
    create table customers (id serial primary key, tenant int, seat int unique, name text);
    create table orders (id int primary key, customer int not null references customers on delete cascade, total numeric(8,2));
    create table log (what text);
    create function refuse() returns trigger language plpgsql as 'begin raise exception ''fired''; end';
    insert into customers (tenant, seat, name) values (1, 1, 'ann'), (1, 2, 'bob'), (2, 3, 'cay'), (2, 4, 'dan');
    insert into orders values (1, 1, 10), (2, 2, 20.5), (3, 4, 30);
    insert into log values ('a'), ('a'), ('b')`);
  await take('s', ['customers', 'orders', 'log']);
  await client.query(`
    insert into customers (tenant, seat, name) values (2, null, 'new');
    update customers set seat = -seat where id < 3; update customers set seat = 3 + seat where id < 3;
    update customers set name = E'c\\u009by\\u202e' where id = 3;
    delete from customers where id = 4;
    insert into orders values (9, 5, 1);
    update orders set total = 11 where id = 1;
    delete from log where ctid = (select min(ctid) from log);
    create trigger fires before update on orders for each row execute function refuse()`);
});

async function take(id: string, tables: readonly string[]): Promise<void> {
  const store = openStore(config.store, {});
  await takeSnapshot({
    request: {
      ...{ id, fingerprint: '', database: session.config.database, name: id, type: 'manual', by: 'ada' },
      tables: tables.map((table) => ({ schema: 'public', table })),
      ...{ schemas: [], tenant: null, keep: null, readers: 2, partBytes: 100_000 },
    },
    ...{ place: { store, prefix: '' }, progress: new LoadProgress(), signal: new AbortController().signal },
    withConnection: (applicationName, signal, action) =>
      withDatabase(findDatabase(config, session.config.database), {}, { applicationName, signal }, action),
  });
  store.close();
}

async function run(...args: string[]) {
  const { exitCode, stdout, stderr } = await thawHere(['snapshot', ...args], env);
  return { exitCode, lines: stdout.trimEnd().split('\n'), stderr };
}

function job(signal: AbortSignal, changes: Partial<PreviewJob> = {}): PreviewJob {
  return {
    ...{ database: findDatabase(config, session.config.database), env: {}, signal, exact: true },
    place: { store: openStore(config.store, {}), prefix: '' },
    source: { kind: 'stored', id: 's' },
    ...{ tables: null, tenant: null, newerBy: null },
    ...changes,
  };
}

async function stages(): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select nspname as name from pg_namespace where nspname like 'thaw%' order by 1`,
  );
  return rows.map(({ name }) => name);
}

/** Everything of the database that a preview could change: catalog, sequences, rows and who wrote them. */
async function everything(): Promise<unknown> {
  const { rows } = await client.query(`
    select (select array_agg(c::text order by oid) from pg_class c) as classes,
      (select array_agg(t::text order by oid) from pg_trigger t) as triggers,
      (select array_agg(k::text order by oid) from pg_constraint k) as constraints,
      (select count(*) from pg_attribute) as columns, (select count(*) from pg_type) as types,
      (select count(*) from pg_depend) as depends, (select count(*) from pg_statistic) as statistics,
      (select array_agg(n::text order by oid) from pg_namespace n where nspname !~ '^pg_(toast_)?temp') as schemas,
      (select last_value from customers_id_seq) as sequence,
      (select array_agg(row(c, xmin, ctid)::text) from customers c) as customers,
      (select array_agg(row(o, xmin, ctid)::text) from orders o) as orders,
      (select array_agg(row(l, xmin, ctid)::text) from log l) as log`);
  return rows;
}

test('tells each difference, and changes nothing', async () => {
  // What the first one makes for temporary tables stays for all others.
  await run('preview', 's');
  const before = await everything();
  // Nothing goes beside this lock but reading.
  const other = await session.open();
  await other.query('begin; lock table customers, orders, log in exclusive mode');
  const { exitCode, lines, stderr } = await run('preview', 's', '--values');
  await other.query('rollback');
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
  const token = /--if-unchanged ([\w-]{43,})$/.exec(lines.at(-1) ?? '')?.[1];
  expect(lines).toEqual([
    `PREVIEW: overwrite of ${session.config.database} with snapshot s`,
    'TABLE             INSERT  UPDATE  DELETE  UNCHANGED',
    'public.customers       1       3       1          0',
    'public.log             1       0       0          2',
    'public.orders          1       1       1          1',
    'in all                 3       4       2          3',
    'public.customers:',
    '  delete id="5": id="5" tenant="2" seat=NULL name="new"',
    '  insert id="4": id="4" tenant="2" seat="4" name="dan"',
    '  update id="1": seat "2" -> "1"',
    '  update id="2": seat "1" -> "2"',
    '  update id="3": name "c\\u009by\\u202e" -> "cay"',
    'public.log:',
    '  insert: what="a"',
    'public.orders:',
    '  delete id="9": id="9" customer="5" total="1.00"',
    '  insert id="3": id="3" customer="4" total="30.00"',
    '  update id="1": total "11.00" -> "10.00"',
    'Foreign keys, while rows are merged:',
    '  orders_customer_fkey of public.orders to public.customers: taken off',
    'Locks, until the commit:',
    '  public.customers: access exclusive, readers and writers wait (the foreign key orders_customer_fkey of public.orders is taken off)',
    '  public.log: share row exclusive, writers wait (rows are merged into it)',
    '  public.orders: access exclusive, readers and writers wait (its foreign key orders_customer_fkey is taken off)',
    'Note: public.orders: trigger fires does not fire',
    'Nothing was changed. To restore only if the tables are still as they are now:',
    `  --if-unchanged ${token}`,
  ]);
  expect(await everything()).toEqual(before);
  expect(await stages()).toEqual([]);
});

test('tells programs the same, of tables, tenants and strategies that are asked for', async () => {
  const ask = async (...args: string[]): Promise<SnapshotPreview> => {
    const { lines, stderr } = await run('preview', 's', '--json', ...args);
    expect(stderr).toBe('');
    return JSON.parse(lines.join('\n'));
  };
  const counts = ({ tables }: SnapshotPreview) =>
    tables.map(({ table, inserted, updated, deleted, unchanged }) => [
      table,
      inserted,
      updated,
      deleted,
      unchanged,
    ]);
  const one = await ask('--table', 'customers', '--where', 'tenant=2');
  expect(counts(one)).toEqual([['customers', 1, 1, 1, 0]]);
  expect(one).toMatchObject({
    ...{ dryRun: true, source: { kind: 'stored', id: 's' }, strategy: 'overwrite' },
    tenant: { column: 'tenant', value: '2' },
  });
  expect(JSON.stringify(one)).not.toContain('dan');
  expect(counts(await ask('--table', 'orders', '--strategy', 'merge', '--newer-by', 'total'))).toEqual([
    ['orders', 1, 0, 0, 2],
  ]);
  expect((await ask('--table', 'customers', '--samples', '1')).tables[0]?.samples).toHaveLength(3);
});

test('tells people what would be refused', async () => {
  const { exitCode, lines } = await run('preview', 's', '--table', 'customers');
  expect(exitCode).toBe(3);
  expect(lines.slice(-4, -1)).toEqual([
    'The restore would be refused:',
    '  public.orders: rows with (id) = (9) break the foreign key orders_customer_fkey to public.customers',
    'Nothing was changed. To restore only if the tables are still as they are now:',
  ]);
});

test('looks at backups and rows of the source system as well, and tells what is left out', async () => {
  await mkdir(join(root, 'store/backups'), { recursive: true });
  await writeFile(
    join(root, 'store/backups/night.json'),
    '{"log": [{"what": "a", "more": 1}, {"what": "c", "more": null}]}',
  );
  await client.query(`
    alter table log add primary key (what), add note text;
    create table backup_pitr_snapshots (id uuid, tenant_id text, snapshot_name text, snapshot_type text, created_at timestamptz,
      created_by text, expires_at timestamptz, status text, is_rolled_back boolean, snapshot_data jsonb, metadata jsonb);
    insert into backup_pitr_snapshots values ('6d1f0d5c-0000-4000-8000-000000000001', '2', 'n', 'manual', now(), 'bob',
      '2020-01-01', 'active', true, '{"orders": []}', '{"whole_tables": ["orders"]}')`);
  const object = await run('preview', 'backups/night.json', '--schema-migration-strategy', 'lenient');
  expect(object.stderr).toBe('');
  expect(object.lines.slice(1)).toEqual([
    'TABLE       INSERT  UPDATE  DELETE  UNCHANGED',
    'public.log       1       0       1          1',
    'public.log:',
    '  delete what="b"',
    '  insert what="c"',
    'Locks, until the commit:',
    '  public.log: share row exclusive, writers wait (rows are merged into it)',
    'Note: public.log: the table has no column more; 1 values of the snapshot are left out.',
    'Note: public.log: the snapshot has no column note, which keeps what it has.',
    ...object.lines.slice(-2),
  ]);
  const row = await run('preview', '6d1f0d5c-0000-4000-8000-000000000001');
  expect(row.lines).toEqual(
    expect.arrayContaining([
      'public.orders       0       0       3          0',
      'Note: The snapshot expired at 2020-01-01T00:00:00.000Z: it is not restored any more.',
      'Note: The snapshot was restored before: it is restored again only with --again.',
    ]),
  );
});

test.for([
  [['--strategy', 'merge'], '--strategy merge: needs --newer-by'],
  [['--newer-by', 'total'], '--newer-by: only with --strategy merge'],
  [['--strategy', 'selective'], '--strategy selective: needs --selection'],
  [['--strategy', 'selective', '--selection', 'none.jsonl'], '--selection: none.jsonl cannot be read'],
  [['--table', 'none'], 'The snapshot does not have public.none'],
  [['--table', 'log', '--strategy', 'merge', '--newer-by', 'what'], 'public.log: it has no key'],
] as const)('refuses %s, and leaves no stage', async ([args, message]) => {
  const { exitCode, stderr } = await run('preview', 's', ...args);
  expect(stderr).toContain(message);
  expect(exitCode).toBeGreaterThan(0);
  expect(await stages()).toEqual([]);
});

test('brings the newest snapshot before a time forward to it, by the log of changes', async () => {
  await client.query(`alter table orders disable trigger fires; ${recipe(['public.orders'])}`);
  await take('base', ['orders']);
  await client.query('update orders set total = 12 where id = 1; delete from orders where id = 2');
  const { rows } = await client.query<{ at: string }>(
    `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at`,
  );
  const to = rows[0]?.at ?? '';
  await client.query('update orders set total = 0; insert into orders values (20, 1, 20)');
  await take('later', ['orders']);
  const { exitCode, lines, stderr } = await run('preview', '--to', to, '--table', 'orders', '--values');
  expect(stderr).toMatch(/^Base: snapshot base of 2.*\n$/);
  expect(exitCode).toBe(0);
  expect(lines[0]).toBe(`PREVIEW: overwrite of ${session.config.database} with snapshot base`);
  expect(lines).toEqual(
    expect.arrayContaining([
      'public.orders       0       2       1          0',
      '  delete id="20": id="20" customer="1" total="20.00"',
      '  update id="1": total "0.00" -> "12.00"',
      `Note: Replayed up to ${to}: 2 changes of public.backup_transaction_logs`,
      'Note: public.orders: 0 INSERT, 1 UPDATE, 1 DELETE',
    ]),
  );
  const file = join(root, 'forward.jsonl');
  await run('diff', 'base', '--to', to, '--out', file);
  await writeFile(
    file,
    (await readFile(file, 'utf8')).replaceAll(/"take":false(.*"update")/g, '"take":true$1'),
  );
  const some = await run('preview', 'base', '--strategy', 'selective', '--selection', file);
  expect(some.lines).toContain('public.orders       0       2       0          0');
  const early = await run('preview', '--to', '2026-01-01T00:00:00Z');
  expect(early.stderr).toContain('There is no usable snapshot from before 2026-01-01T00:00:00Z.');
  expect((await run('preview')).stderr).toContain('Nothing says which snapshot.');
  expect((await run('preview', 's', '--log', 'log')).stderr).toContain(
    '--log: it means nothing without --to.',
  );
  expect(await stages()).toEqual([]);
});

test('what is interrupted leaves no stage: while rows are copied, and while it waits for a table', async () => {
  const copying = new AbortController();
  const stopped = new Error('stopped');
  const onRows = () => copying.abort(stopped);
  await expect(previewSnapshot(job(copying.signal, { onRows }))).rejects.toBe(stopped);
  expect(await stages()).toEqual([]);

  const waiting = new AbortController();
  const store = openStore(config.store, {});
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const read = store.open.bind(store);
  store.open = async (key, options) => {
    if (key.endsWith('.jsonl.gz')) await gate;
    return read(key, options);
  };
  const preview = previewSnapshot(job(waiting.signal, { place: { store, prefix: '' } }));
  const ending = preview.catch((error: unknown) => error);
  await expect.poll(stages, { timeout: 20_000 }).toHaveLength(1);
  const other = await session.open();
  await other.query('begin; lock table orders in access exclusive mode');
  open();
  const waits =
    'select from pg_locks where not granted and database = (select oid from pg_database where datname = $1)';
  await expect
    .poll(async () => (await client.query(waits, [session.config.database])).rowCount, { timeout: 20_000 })
    .toBe(1);
  waiting.abort(stopped);
  expect(await ending).toBe(stopped);
  expect(await stages()).toEqual([]);
  await other.query('rollback');
});

test('a stage that a killed process has left is dropped by the next one, that of a living one is not', async () => {
  await client.query(
    'create schema thaw_preview_dead; create unlogged table thaw_preview_dead.rows_1 (a int)',
  );
  await client.query('create schema thaw_preview_living');
  const living = await session.open();
  await holdPreviewStage(living, 'thaw_preview_living');
  await run('preview', 's');
  expect(await stages()).toEqual(['thaw_preview_living']);
  await living.end();
  await run('preview', 's');
  expect(await stages()).toEqual([]);
});

test('writes each difference to be marked, into a file that nobody else reads, and previews those that are', async () => {
  const out = join(root, 'diff.jsonl');
  expect(await run('diff', 's', '--out', out)).toMatchObject({
    exitCode: 0,
    stderr: `9 differences in ${out}.\n`,
  });
  expect((await stat(out)).mode & 0o777).toBe(0o600);
  const text = await readFile(out, 'utf8');
  const [header, ...lines] = text.trimEnd().split('\n');
  expect(JSON.parse(header ?? '')).toMatchObject({
    ...{ thaw_diff: 1, database: session.config.database, source: { kind: 'stored', id: 's' }, tenant: null },
    if_unchanged: JSON.parse((await run('preview', 's', '--json')).lines.join('')).ifUnchanged,
  });
  expect(lines).toContain(
    `{"take":false,"kind":"update","schema":"public","table":"orders","key":{"id":"1"},"changed":["total"],"before":{"id":"1","customer":"1","total":"11.00"},"after":{"id":"1","customer":"1","total":"10.00"}}`,
  );
  expect(await stages()).toEqual([]);
  expect(await run('diff', 's', '--out', out)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining(`--out: ${out} cannot be written (it is there already)`),
  });
  expect((await run('diff', 's', '--out', '-')).lines.slice(1)).toEqual(lines);

  const marked = join(root, 'marked.jsonl');
  const preview = (id = 's') =>
    run('preview', id, '--strategy', 'selective', '--selection', marked, '--json');
  await writeFile(marked, text);
  expect(await preview()).toMatchObject({ stderr: expect.stringContaining('No difference is marked') });
  await writeFile(marked, text.replaceAll(/"take":false(.*"table":"(?:log|orders)")/g, '"take":true$1'));
  const { tables } = JSON.parse((await preview()).lines.join('')) as SnapshotPreview;
  expect(tables).toMatchObject([
    { table: 'log', inserted: 1, updated: 0, deleted: 0, unchanged: 2 },
    { table: 'orders', inserted: 1, updated: 1, deleted: 1, unchanged: 1 },
  ]);
  expect((await preview('other')).stderr).toContain('it is a diff of s and the database');
  await client.query('alter table orders disable trigger fires; update orders set total = 12 where id = 1');
  expect((await preview()).stderr).toContain('Marked rows have changed since the diff');
});
