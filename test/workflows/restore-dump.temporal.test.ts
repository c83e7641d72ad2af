import { afterEach, beforeEach, expect, test } from 'vitest';
import { DumpClient } from '../../src/client/dump-client.ts';
import { databaseWorkflowId, oldDatabaseWorkflowId, restoreWorkflowId } from '../../src/contract/names.ts';
import { until } from '../fault/until.ts';
import { testTemporal } from '../harness/temporal.ts';
import { dumpRequest, FakeDumps, failureOf } from './fake-dumps.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

let it: WorkflowTest;
let fake: FakeDumps;
let dumps: DumpClient;

beforeEach(async () => {
  fake = new FakeDumps();
  it = await startWorkflowTest(testTemporal().address, 100, fake.activities());
  dumps = new DumpClient(it.client, it.taskQueue);
});

afterEach(async () => {
  fake.gate.open();
  await it.close();
});

const end = () => dumps.outcome(it.restoreId);
const keep = (name: string) => it.keepHistory(name, restoreWorkflowId(it.restoreId));

test('a dump is chosen, proved, loaded beside, verified and swapped in, and the old database dropped in time', async () => {
  const request = dumpRequest(it.restoreId, { keepOldSeconds: 1 });
  await dumps.start(request);
  const outcome = await end();

  expect(outcome).toMatchObject({
    ...{ state: 'completed', service: 'argus', database: 'argus_db', mode: 'swap', error: null },
    ...{ passedOver: [], leftBehind: [], notices: ['chosen'] },
    dump: { key: 'argus_3.sql.gz' },
    proof: { rows: 3 },
    report: { outcome: 'verified' },
    old: { name: 'argus_db__old_1' },
  });
  expect(fake.recorded.map(({ state }) => state)).toEqual(['running', 'completed']);
  expect(fake.recorded[1]?.outcome).toMatchObject({ state: 'completed', old: { name: 'argus_db__old_1' } });
  const dropping = oldDatabaseWorkflowId(request.server, 'argus_db__old_1');
  await it.client.workflow.getHandle(dropping).result();
  await it.keepHistory('drop-old-database', dropping);
  expect(fake.steps).toEqual([
    ...['choose', 'prove argus_3.sql.gz', 'survey', 'load', 'verify', 'swap', 'drop argus_db__old_1'],
  ]);
  expect(await dumps.progress(it.restoreId)).toMatchObject({
    ...{ state: 'completed', step: 'finish', archives: { done: 1, total: 1 }, outcome },
    steps: ['choose', 'prove', 'survey', 'load', 'verify', 'swap', 'finish'].map((step) => ({ step })),
  });
  expect(await dumps.isDump(it.restoreId)).toBe(true);
  await keep('restore-dump');
});

test('a dump that is not good stops the restore of it before anything is touched, and the good one before it is named', async () => {
  fake.bad.add('argus_3.sql.gz').add('argus_2.sql.gz');
  await dumps.start(dumpRequest(it.restoreId));

  expect(await end()).toMatchObject({
    state: 'failed',
    dump: { key: 'argus_3.sql.gz' },
    passedOver: [{ key: 'argus_3.sql.gz', reason: 'ArchiveCorrupt: argus_3.sql.gz: it ends too early' }],
    error: {
      code: 'ArchiveCorrupt',
      message: 'argus_3.sql.gz: it ends too early',
      hint: 'The dump before it that is good is argus_1.sql.gz of 2026-01-01T02:00:00.000Z: --fallback 2 takes it.',
    },
  });
  expect(fake.steps.filter((step) => !step.startsWith('prove'))).toEqual(['choose']);
  await keep('restore-dump-not-good');
});

test('with --fallback the good one before it is taken, and that is said; further back it does not go', async () => {
  fake.bad.add('argus_3.sql.gz').add('argus_2.sql.gz');
  const request = dumpRequest(it.restoreId, { fallback: 2, keepOldSeconds: 0 });
  await dumps.start(request);

  const outcome = await end();
  expect(outcome).toMatchObject({
    ...{ state: 'completed', dump: { key: 'argus_1.sql.gz' }, old: null },
    passedOver: [{ key: 'argus_3.sql.gz' }, { key: 'argus_2.sql.gz' }],
  });
  expect(outcome.notices).toContain('argus_2.sql.gz is not good; argus_1.sql.gz is taken in its place.');
  // Not kept at all, it is dropped before the restore ends.
  expect(fake.steps.at(-1)).toBe('drop argus_db__old_1');

  const again = { ...request, restoreId: `${it.restoreId}-again`, fallback: 1 };
  await dumps.start(again);
  expect(await dumps.outcome(again.restoreId)).toMatchObject({
    ...{ state: 'failed', dump: { key: 'argus_2.sql.gz' }, error: { code: 'ArchiveCorrupt' } },
  });
});

test('a load that fails, or is not what the dump says, is removed, and nothing is swapped', async () => {
  fake.report = 'failed';
  await dumps.start(dumpRequest(it.restoreId));
  expect(await end()).toMatchObject({
    ...{ state: 'failed', old: null, notices: ['chosen', 'discarded'] },
    report: { outcome: 'failed' },
    error: {
      code: 'VerificationFailed',
      message: 'argus_db__thaw_x is not what was expected: rows: 2 of 3',
    },
  });
  expect(fake.steps.slice(-2)).toEqual(['verify', 'discard']);

  fake.steps.length = 0;
  fake.failures.set('load', failureOf('DumpRejected', 'argus_3.sql.gz: there is no type citext'));
  fake.failures.set('discard', failureOf('PermissionDenied', 'argus_db__thaw_y: may not be dropped'));
  const again = dumpRequest(`${it.restoreId}-again`);
  await dumps.start(again);
  expect(await dumps.outcome(again.restoreId)).toMatchObject({
    state: 'failed',
    error: { code: 'DumpRejected', hint: 'Mend it.' },
    leftBehind: ['the new database beside argus_db'],
    notices: ['chosen', 'What was loaded could not be removed: argus_db__thaw_y: may not be dropped'],
  });
  expect(fake.steps.slice(-2)).toEqual(['load', 'discard']);
  await keep('restore-dump-with-error');
});

test('into a database that is there nothing is swapped', async () => {
  await dumps.start(dumpRequest(it.restoreId, { mode: 'into-existing' }));
  expect(await end()).toMatchObject({ state: 'completed', old: null });
  expect(fake.steps.at(-1)).toBe('verify');
});

test('a restore that is cancelled in any step leaves nothing behind', async () => {
  for (const step of ['choose', 'prove', 'survey', 'load', 'verify'] as const) {
    fake.steps.length = 0;
    fake.gated = step;
    fake.gate.close();
    const request = dumpRequest(`${it.restoreId}-${step}`);
    await dumps.start(request);
    await until(step, async () => fake.steps.at(-1)?.startsWith(step) ?? false);
    await it.restores.cancel(request.restoreId, null);

    expect(await dumps.outcome(request.restoreId)).toMatchObject({
      ...{ state: 'cancelled', old: null, error: null },
    });
    const handle = it.client.workflow.getHandle(restoreWorkflowId(request.restoreId));
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    expect(fake.steps).toContain(`${step} broken off`);
    expect(fake.steps.includes('discard')).toBe(step === 'load' || step === 'verify');
    expect(fake.steps).not.toContain('swap');
    expect(fake.recorded.at(-1)).toMatchObject({ state: 'cancelled', outcome: { state: 'cancelled' } });
    if (step === 'load') await it.keepHistory('restore-dump-cancelled', handle.workflowId);
  }
});

test('a cancel that comes while databases are swapped comes too late', async () => {
  fake.gated = 'swap';
  fake.gate.close();
  await dumps.start(dumpRequest(it.restoreId, { keepOldSeconds: 0 }));
  await until('swap', async () => fake.steps.at(-1) === 'swap');
  await it.restores.cancel(it.restoreId, null);
  const { beats } = fake;
  await until('it would have been told', async () => fake.beats > beats + 20);
  fake.gate.open();

  expect(await end()).toMatchObject({ state: 'completed' });
  expect(fake.steps).not.toContain('swap broken off');
});

test('a pause takes hold before the next step, and with --now breaks the step off, which is done again', async () => {
  fake.gate.close();
  await dumps.start(dumpRequest(it.restoreId, { keepOldSeconds: 0 }));
  await until('load', async () => fake.steps.at(-1) === 'load');
  expect(await it.restores.pause(it.restoreId, 'lunch', false)).toBe('pausing');
  fake.gate.open();
  await until('paused', async () => (await dumps.progress(it.restoreId)).state === 'paused');
  expect(fake.steps.at(-1)).toBe('load');
  expect(await dumps.progress(it.restoreId)).toMatchObject({ step: 'verify', reason: 'lunch' });

  fake.gated = 'verify';
  fake.gate.close();
  await it.restores.resume(it.restoreId);
  await until('verify', async () => fake.steps.at(-1) === 'verify');
  await it.restores.pause(it.restoreId, null, true);
  await until('paused', async () => (await dumps.progress(it.restoreId)).state === 'paused');
  expect(fake.steps.at(-1)).toBe('verify broken off');
  fake.gate.open();
  await it.restores.resume(it.restoreId);

  expect(await end()).toMatchObject({ state: 'completed' });
  expect(fake.steps.slice(-4)).toEqual(['verify broken off', 'verify', 'swap', 'drop argus_db__old_1']);
  expect(fake.recorded.map(({ state }) => state)).toEqual([
    ...['running', 'paused', 'running', 'paused', 'running', 'completed'],
  ]);
  await keep('restore-dump-paused');
});

test('a database that another restore holds is busy, and it is free once that one has ended', async () => {
  fake.gate.close();
  const first = dumpRequest(it.restoreId, { mode: 'into-existing' });
  await dumps.start(first);
  await until('load', async () => fake.steps.at(-1) === 'load');
  fake.holder = restoreWorkflowId(it.restoreId);
  const second = { ...first, restoreId: `${it.restoreId}-second` };
  await dumps.start(second);
  const lock = databaseWorkflowId(first.server, 'argus_db');
  expect(await dumps.outcome(second.restoreId)).toMatchObject({
    state: 'failed',
    error: {
      code: 'TargetBusy',
      message: `Restore ${it.restoreId} holds database argus_db: workflow ${lock} is running.`,
    },
  });
  // A cancel of the lock alone does not let it go.
  await it.client.workflow.getHandle(lock).cancel();
  fake.gate.open();
  expect(await end()).toMatchObject({ state: 'completed' });
  await it.keepHistory('hold-database', lock);

  const third = { ...first, restoreId: `${it.restoreId}-third` };
  await dumps.start(third);
  expect(await dumps.outcome(third.restoreId)).toMatchObject({ state: 'completed' });
});
