import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SnapshotRestoreClient } from '../../src/client/snapshot-restore-client.ts';
import { findDatabase } from '../../src/config/database-config.ts';
import type { SnapshotOutcome, SnapshotTableResult } from '../../src/contract/snapshot.ts';
import type { SnapshotPreview } from '../../src/contract/snapshot-preview.ts';
import { LoadProgress } from '../../src/load/load-progress.ts';
import { withDatabase } from '../../src/postgres/connect-database.ts';
import { takeSnapshot } from '../../src/snapshot/write/take-snapshot.ts';
import { openStore } from '../../src/store/open-store.ts';
import { thawHere } from '../cli/thaw-here.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { rowsOf } from './merge/merge-site.ts';
import { zooOfAll, zooSql } from './zoo.ts';

let thaw: TestThaw;
let root: string;
let taken = 0;

/** Names that would do harm where they are not quoted. */
const customers = `"Sh""op é"."cust;'omers"`;
const tables = [customers, 'orders', 'log', zooOfAll];
const names = [
  { schema: 'Sh"op é', table: "cust;'omers" },
  { schema: 'public', table: 'orders' },
  { schema: 'public', table: 'log' },
  { schema: 'shop', table: "Zoo.of 'all'" },
];

beforeAll(async () => {
  thaw = await createTestThaw('round_trip');
  root = await mkdtemp(join(tmpdir(), 'thaw-round-'));
  await writeFile(join(root, 'config.yaml'), thaw.configText);
  await thaw.pg.query(`
    ${zooSql};
    create schema "Sh""op é";
    create table ${customers} (id int primary key, "se,at" int unique, "na""me" text, at int);
    create table orders (id int primary key, customer int not null references ${customers} on delete cascade, total text, at int);
    create table log (what text);
    create function refuse() returns trigger language plpgsql as 'begin raise exception ''fired''; end'`);
});
afterAll(async () => {
  await thaw.close();
  await rm(root, { recursive: true });
});

/** Fills the tables and takes a snapshot of them; gives its id, and what they held. */
async function begin(): Promise<{ readonly id: string; readonly held: string[][] }> {
  await thaw.pg.query(`
    drop trigger if exists fires on orders;
    truncate ${customers}, orders, log;
    insert into ${customers} select n, n, E'na\\\\u009bme "take":false ' || n, n from generate_series(1, 30) as n;
    insert into orders select n, 1 + n % 30, 'of ' || n, n from generate_series(1, 90) as n;
    insert into log select 'line ' || n % 7 from generate_series(1, 20) as n;
    create trigger fires before insert or update or delete on orders for each row execute function refuse()`);
  taken += 1;
  const id = `s${taken}`;
  const store = openStore(thaw.config.store, {});
  const database = findDatabase(thaw.config, thaw.database.name);
  await takeSnapshot({
    request: {
      ...{ id, fingerprint: '', database: database.name, name: id, type: 'manual', by: 'ada', tables: names },
      ...{ schemas: [], tenant: null, keep: null, readers: 2, partBytes: 2_000 },
    },
    ...{ place: { store, prefix: thaw.config.store.prefix }, progress: new LoadProgress() },
    signal: new AbortController().signal,
    withConnection: (applicationName, signal, action) =>
      withDatabase(database, {}, { applicationName, signal }, action),
  });
  store.close();
  return { id, held: await contents() };
}

/** Changes rows of all tables at random, in every way. */
async function change(seed: number): Promise<void> {
  await thaw.pg.query(`
    alter table orders disable trigger fires;
    select setseed(${seed});
    delete from orders where random() < 0.2;
    delete from ${customers} where random() < 0.1;
    update ${customers} set "se,at" = -"se,at" where random() < 0.4;
    update ${customers} set "se,at" = (select min("se,at") from ${customers}) - 1 - id where "se,at" < 0 and random() < 0.5;
    update ${customers} as c set "se,at" = null where random() < 0.1;
    update ${customers} set at = at + 1 - (random() * 2)::int, "na""me" = nullif("na""me", "na""me") where random() < 0.3;
    insert into ${customers} select n, n, 'new', null from generate_series(101, 105) as n;
    update orders set total = total || E'\\\\n', at = at - 1 where random() < 0.3;
    update orders set total = null, at = at + 1 where random() < 0.2;
    insert into orders select n, 101 + n % 5, null, n from generate_series(200, 210) as n;
    delete from log where random() < 0.4;
    insert into log select 'line ' || n % 9 from generate_series(1, 8) as n;
    delete from ${zooOfAll} where id = 1;
    update ${zooOfAll} set span = '1 day', pair = row(1, null), doc = '{"a":1}', twice = default where id = 3;
    insert into ${zooOfAll} (flag) values (true);
    alter table orders enable trigger fires`);
  // Seats of two customers, swapped.
  await thaw.pg.query(`
    update ${customers} set "se,at" = -1000 - id where id in (1, 2, 3);
    update ${customers} set "se,at" = 1000 + 3 - id where id in (1, 2)`);
}

async function contents(): Promise<string[][]> {
  const all: string[][] = [];
  for (const table of tables) all.push(await rowsOf(thaw.pg, table));
  return all;
}

async function run(...args: string[]) {
  const { exitCode, stdout, stderr } = await thawHere(['snapshot', ...args, '--json'], {
    THAW_CONFIG: join(root, 'config.yaml'),
    THAW_STATE_DIR: join(root, 'state'),
  });
  return { exitCode, json: JSON.parse(stdout), stderr };
}

async function preview(...args: string[]): Promise<SnapshotPreview> {
  const { json, stderr } = await run('restore', ...args, '--dry-run');
  // A slow machine tells how far it is.
  expect(stderr.replaceAll(/^[\d,]+ rows read\n/gm, '')).toBe('');
  return json;
}

async function restore(...args: string[]): Promise<SnapshotOutcome> {
  const { address, namespace, taskQueue } = thaw.temporal;
  const cluster = ['--temporal-address', address, '--namespace', namespace, '--task-queue', taskQueue];
  const { json } = await run('restore', ...args, '--confirm', '--no-pre-snapshot', ...cluster);
  return json;
}

function counts(of: readonly SnapshotTableResult[]) {
  return of.map(({ table, inserted, updated, deleted, unchanged }) => [
    table,
    inserted,
    updated,
    deleted,
    unchanged,
  ]);
}

/** Restores what was previewed: it does the same, or fails as a whole for what the preview has said. */
async function restoreAsTold(...args: string[]): Promise<SnapshotOutcome> {
  const told = await preview(...args);
  const before = await contents();
  const outcome = await restore(...args, '--if-unchanged', told.ifUnchanged);
  if (outcome.state === 'completed') {
    expect(counts(outcome.tables)).toEqual(counts(told.tables));
    expect(told.issues).toEqual([]);
  } else {
    const codes = new Set(told.issues.map(({ code }) => code));
    expect(codes).toContain(outcome.error?.code);
    expect(told.issues.some(({ issue }) => outcome.error?.message.includes(issue))).toBe(true);
    expect(await contents()).toEqual(before);
  }
  return outcome;
}

/** Writes a diff, and marks some of its lines. */
async function marked(id: string, isTaken: (line: string, place: number) => boolean): Promise<string> {
  const file = join(root, `${id}-${Math.random()}.jsonl`);
  await thawHere(['snapshot', 'diff', id, '--out', file], { THAW_CONFIG: join(root, 'config.yaml') });
  const lines = (await readFile(file, 'utf8')).split('\n');
  const text = lines.map((line, place) =>
    isTaken(line, place) ? line.replace('"take":false', '"take":true') : line,
  );
  await writeFile(file, text.join('\n'));
  return file;
}

async function selections(): Promise<string[]> {
  return (await thaw.bucket.keys('archives/snapshots/')).filter((key) => key.includes('selection'));
}

test('overwrite does what its preview says, and brings every row back as it was', async () => {
  const { id, held } = await begin();
  await change(0.1);
  expect(await contents()).not.toEqual(held);
  const { state, tables: changed } = await restoreAsTold(id);
  expect(state).toBe('completed');
  for (const { inserted, updated, deleted } of changed)
    expect(inserted + updated + deleted).toBeGreaterThan(0);
  expect(await contents()).toEqual(held);
});

test('merge does what its preview says', async () => {
  const { id } = await begin();
  await change(0.2);
  const both = ['--table', 'orders', '--table', `Sh"op é.cust;'omers`, '--strategy', 'merge'];
  const { state, tables: changed } = await restoreAsTold(id, ...both, '--newer-by', 'at');
  expect(state).toBe('completed');
  for (const { inserted, updated } of changed) expect(Math.min(inserted, updated)).toBeGreaterThan(0);
});

test('selective takes what is marked and nothing else, and with all marked brings every row back', async () => {
  const { id, held } = await begin();
  await change(0.4);
  const orders = await marked(id, (line) => /"kind":"update".*"table":"orders"/.test(line));
  const before = await contents();
  const { state, tables: changed } = await restoreAsTold(
    id,
    '--strategy',
    'selective',
    '--selection',
    orders,
  );
  expect(state).toBe('completed');
  expect(counts(changed)).toEqual([['orders', 0, expect.any(Number), 0, expect.any(Number)]]);
  const after = await contents();
  expect([after[0], after[2], after[3]]).toEqual([before[0], before[2], before[3]]);
  expect(await selections()).toEqual([]);

  const some = await marked(id, (_, place) => place % 3 === 0);
  await restoreAsTold(id, '--again', '--strategy', 'selective', '--selection', some);
  const all = await marked(id, () => true);
  expect(await restoreAsTold(id, '--again', '--strategy', 'selective', '--selection', all)).toMatchObject({
    state: 'completed',
  });
  expect(await contents()).toEqual(held);
  expect(await selections()).toEqual([]);
});

test('rows for which a restore is refused are foreseen, in its own words', async () => {
  const { id } = await begin();
  await thaw.pg.query(`
    alter table orders disable trigger fires;
    delete from orders where customer = 5;
    delete from ${customers} where id = 5;
    update ${customers} set "se,at" = 1001, at = 0 where id = 1;
    insert into ${customers} values (400, 1, 'new', null);
    insert into orders values (400, 400, null, null);
    alter table orders enable trigger fires`);
  const shop = `Sh"op é.cust;'omers`;
  const key = `break the foreign key orders_customer_fkey to ${shop}`;
  const foreseen = [
    [['--table', 'orders'], 'RowRejected', `public.orders: rows with (id) = (34), (4), (64) ${key}`],
    [['--table', shop], 'RowRejected', `public.orders: rows with (id) = (400) ${key}`],
    [
      ['--table', shop, '--strategy', 'merge', '--newer-by', 'at'],
      'ConflictFound',
      `${shop}: rows with (id) = (1) have values in the unique index cust;'omers_se,at_key that other rows have as well`,
    ],
  ] as const;
  for (const [args, code, issue] of foreseen) {
    const told = await run('preview', id, ...args);
    expect(told.exitCode).toBe(3);
    expect(told.json.issues).toEqual([{ issue, code, object: issue.split(':')[0] }]);
    expect(await restoreAsTold(id, ...args)).toMatchObject({ error: { code, message: `${issue}.` } });
  }
});

test('a restore is refused where a table or a marked row has changed since, and names it', async () => {
  const { id } = await begin();
  await change(0.5);
  const { ifUnchanged } = await preview(id);
  const file = await marked(id, (line) => line.includes('"table":"log"'));
  // What the token says holds for whichever worker comes to the merge, whenever that is.
  await thaw.stopWorker();
  const { restoreId } = await restore(id, '--if-unchanged', ifUnchanged, '--detach');
  await thaw.pg.query("insert into log values ('later'); delete from log where what = 'line 8'");
  const before = await contents();
  await thaw.startWorker();
  const restores = new SnapshotRestoreClient(thaw.client, thaw.temporal.taskQueue);
  expect(await restores.outcome(restoreId)).toMatchObject({
    ...{ state: 'failed', tables: [] },
    error: {
      code: 'ConflictFound',
      message: expect.stringContaining('Changed since the preview: public.log.'),
    },
  });
  expect(await restore(id, '--strategy', 'selective', '--selection', file)).toMatchObject({
    ...{ state: 'failed', tables: [] },
    error: { code: 'ConflictFound', message: expect.stringContaining('public.log (') },
  });
  expect(await contents()).toEqual(before);
  expect(await selections()).toEqual([]);
});
