import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UndoClient } from '../../src/client/undo-client.ts';
import { type BundleSite, createBundleSite } from '../bundle/bundle-site.ts';
import { expectNoSessions } from './archived-table.ts';
import { until } from './until.ts';
import { WorkerProcess } from './worker-process.ts';

let site: BundleSite;
let folder: string;

beforeAll(async () => {
  site = await createBundleSite('killed_bundle', 'no worker');
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-killed-bundle-'));
});

afterAll(async () => {
  await site.close();
  await rm(folder, { recursive: true });
});

// Small ones share transactions: there are several of these.
const models = 120;
const records = 50;

/** The id of a record, which tells model and number. */
function idOf(model: number, record: number): string {
  return `${String(model).padStart(8, '0')}-0000-4000-8000-${String(record).padStart(12, '0')}`;
}

/** A chain of models, each of whose records points at one of the model before. */
function bundle(count = models): Record<string, string> {
  const files: Record<string, string> = {};
  const described: string[] = [];
  for (let model = 0; model < count; model++) {
    described.push(
      `m${model}: { fields: { value: { type: text }, parent: { type: uuid, relationship_type: referenced, related_model: m${Math.max(0, model - 1)} } } }`,
    );
    const lines = Array.from({ length: records }, (_, record) =>
      JSON.stringify({
        id: idOf(model, record),
        value: `new ${record}`,
        parent: model === 0 ? null : idOf(model - 1, (record * 7) % records),
      }),
    );
    files[`m${model}.jsonl`] = `${lines.join('\n')}\n`;
  }
  return { ...files, 'describe.yaml': described.join('\n') };
}

/** Models with every other of the records that come, and one that does not. */
async function makeOld(namespace: string, count = models): Promise<void> {
  await site.thaw.pg.query(`create schema ${namespace}`);
  for (let model = 0; model < count; model++) {
    await site.thaw.pg.query(
      `create table ${namespace}.m${model} (id uuid primary key, value text, parent uuid);
       insert into ${namespace}.m${model} (id, value)
       select ('${String(model).padStart(8, '0')}-0000-4000-8000-' || lpad(record::text, 12, '0'))::uuid, 'old ' || record
       from generate_series(0, ${records}, 2) as record`,
    );
  }
}

/** How many records of all models there are, and how many of them are old. */
async function countsIn(namespace: string): Promise<unknown> {
  const all = Array.from({ length: models }, (_, model) => `select * from ${namespace}.m${model}`);
  const [counts] = await site.rows(
    `select count(*) as records, count(*) filter (where value like 'old %') as old,
       count(*) filter (where value = 'new ' || right(id::text, 12)::int
         and (id::text like '00000000-%' or right(parent::text, 12)::int = right(id::text, 12)::int * 7 % ${records})) as right
     from (${all.join(' union all ')}) as everything`,
  );
  return counts;
}

/** Imports records over others, and has that taken back as far as a table which is held. */
async function beginUndo() {
  const [namespace, count] = ['undone', 8];
  // The last model is made by the import.
  await makeOld(namespace, count - 1);
  const contents = async () => {
    const tables = await site.rows(
      `select table_name as name from information_schema.tables where table_schema = '${namespace}' order by 1`,
    );
    const all = tables.map(
      ({ name }) => `select '${name}' as model, t::text as row from ${namespace}.${name} as t`,
    );
    return site.rows(`${all.join(' union all ')} order by 1, 2`);
  };
  const before = await contents();
  const request = await site.request(bundle(count), { namespace, undoable: true, heartbeatSeconds: 2 });
  const { restoreId: undoes, database, fingerprint } = request;
  await (await site.start(request)).result();
  expect(await contents()).toHaveLength(count * records + count - 1);
  const left = async () => {
    const [found] = await site.rows(
      `select count(*) as rows from thaw.undo_rows where restore_id = '${undoes}'`,
    );
    return Number(found?.rows);
  };
  const all = await left();
  const holder = await site.thaw.database.client();
  // Who keeps others from writing into a table in the middle of the chain holds the undo up there.
  await holder.query(`begin; lock table ${namespace}.m3 in share mode`);
  const undos = new UndoClient(site.thaw.client, site.thaw.temporal.taskQueue);
  const undoId = `undo-${undoes}`;
  await undos.start({
    ...{ restoreId: undoId, undoes, database, fingerprint, disableTriggers: false },
    ...{ by: 'ada', reason: null, heartbeatSeconds: 2 },
  });
  const waits = async () =>
    (await site.rows(`select 1 from pg_locks where not granted and relation = '${namespace}.m3'::regclass`))
      .length > 0;
  await until('the undo waits for the table', waits, 60_000);
  return {
    release: () => holder.end(),
    expectHalfDone: async () => {
      expect(await left()).toBeGreaterThan(0);
      expect(await left()).toBeLessThan(all);
    },
    expectDone: async () => {
      expect(await undos.outcome(undoId)).toMatchObject({ state: 'completed', error: null });
      expect(await contents()).toEqual(before);
      expect(await left()).toBe(0);
    },
  };
}

test('a worker that is killed leaves neither too much nor too little, of imports and of an undo', {
  timeout: 150_000,
}, async () => {
  await makeOld('synced');
  await makeOld('replaced');
  const how = { heartbeatSeconds: 2 };
  const files = bundle();
  const merge = await site.request(files, { ...how, namespace: 'merged', conflictStrategy: 'merge' });
  const sync = await site.request(files, { ...how, namespace: 'synced', conflictStrategy: 'sync' });
  const replace = await site.request(files, { ...how, namespace: 'replaced', conflictStrategy: 'replace' });
  const decided = async () => {
    const [count] = await site
      .rows(`select count(*) as files from thaw.bundle_files where restore_id = '${merge.restoreId}'`)
      .catch(() => [{ files: 0 }]);
    return Number(count?.files);
  };
  let killedAt = 0;
  let worker = await WorkerProcess.start(site.thaw, folder);
  const undo = await beginUndo();
  try {
    const handles = [await site.start(merge), await site.start(sync), await site.start(replace)];
    await until('models are loaded', async () => (await decided()) > 2, 60_000);
    await worker.kill();
    killedAt = await decided();
    await undo.expectHalfDone();
    await undo.release();
    worker = await WorkerProcess.start(site.thaw, folder);
    await Promise.all([undo.expectDone(), ...handles.map((handle) => handle.result())]);
  } finally {
    await undo.release();
    await worker.kill();
  }
  expect(killedAt).toBeLessThan(models);

  const all = models * records;
  const both = all / 2;
  expect(await countsIn('merged')).toEqual({ records: all, old: 0, right: all });
  expect(await countsIn('replaced')).toEqual({ records: all, old: 0, right: all });
  // Besides those that come there is one more in each.
  expect(await countsIn('synced')).toEqual({ records: all + models, old: both + models, right: both });
  expect(await site.run(merge.restoreId)).toMatchObject({
    status: 'completed',
    counts: { recordsImported: all, recordsSkipped: 0, modelsCreated: models, fieldsCreated: 2 * models },
  });
  expect(await site.run(sync.restoreId)).toMatchObject({
    status: 'completed',
    counts: { recordsImported: both, recordsSkipped: both, modelsCreated: 0 },
  });
  expect(await site.run(replace.restoreId)).toMatchObject({
    status: 'completed',
    counts: { recordsImported: all, recordsDeleted: both + models },
  });
  const logged = async (id: string, message: string) =>
    (await site.log(id)).filter((line) => line.message === message).length;
  expect(await logged(merge.restoreId, 'Created model')).toBe(models);
  expect(await logged(sync.restoreId, 'Skipped existing record (sync strategy)')).toBe(both);
  expect(await logged(replace.restoreId, 'Deleted all existing records (replace strategy)')).toBe(models);
  await expectNoSessions(site.thaw.pg);
});
