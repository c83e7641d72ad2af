import { afterEach, beforeEach, expect, test } from 'vitest';
import { DrillClient } from '../../src/client/drill-client.ts';
import type { DrillReport, DrillRequest } from '../../src/contract/drill.ts';
import type { DumpRequest } from '../../src/contract/dump-request.ts';
import type { ErrorCode } from '../../src/contract/error-code.ts';
import { restoreWorkflowId } from '../../src/contract/names.ts';
import { testTemporal } from '../harness/temporal.ts';
import { dumpRequest, FakeDumps, failureOf } from './fake-dumps.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

let it: WorkflowTest;
let fake: FakeDumps;
let drills: DrillClient;
/** What the drill did, besides the steps of its restore. */
let done: string[];
let recorded: DrillReport[];
let loaded: DumpRequest[];
let webhookFails: ErrorCode | null;
let dropFails: ErrorCode | null;

beforeEach(async () => {
  fake = new FakeDumps();
  [done, recorded, loaded] = [[], [], []];
  [webhookFails, dropFails] = [null, null];
  const dumps = fake.activities();
  it = await startWorkflowTest(testTemporal().address, 100, {
    ...dumps,
    loadDump: (input: Parameters<typeof dumps.loadDump>[0]) => {
      loaded.push(input.request);
      return dumps.loadDump(input);
    },
    planDrill: async () => ({ scratch: 'argus_db__drill_1', newest: null, notices: [] }),
    dropScratch: async () => {
      done.push('drop');
      if (dropFails !== null) throw failureOf(dropFails, 'not its owner');
    },
    recordDrill: async ({ report }: { report: DrillReport }) => {
      done.push('record');
      recorded.push(report);
      return [];
    },
    notifyDrill: async ({ event }: { event: string }) => {
      done.push(event);
      if (webhookFails !== null) throw failureOf(webhookFails, 'not wanted');
      return true;
    },
  });
  drills = new DrillClient(it.client, it.taskQueue);
});

afterEach(async () => {
  fake.gate.open();
  await it.close();
});

const keep = (name: string) => it.keepHistory(name, restoreWorkflowId(it.restoreId));

function drillOf(rest: Partial<DrillRequest['objectives']> = {}): DrillRequest {
  return {
    restoreId: it.restoreId,
    subject: 'argus',
    source: { kind: 'dump', request: dumpRequest('') },
    objectives: { rtoSeconds: null, rpoSeconds: null, ...rest },
  };
}

test('a drill restores into a scratch database, measures how long it took and how old the dump was, and drops it', async () => {
  const begun = Date.now();
  await drills.start(drillOf({ rtoSeconds: 600, rpoSeconds: 60 }));
  const report = await drills.outcome(it.restoreId);

  expect(report).toMatchObject({
    ...{ drillId: it.restoreId, subject: 'argus', outcome: 'verified', error: null, rows: 3 },
    ...{ backup: 'argus_3.sql.gz', takenAt: '2026-01-03T02:00:00.000Z', leftBehind: [], notices: ['chosen'] },
    ...{ missed: ['rpo'], webhook: 'sent', report: { outcome: 'verified' } },
  });
  const age = (begun - Date.parse('2026-01-03T02:00:00.000Z')) / 1000;
  expect(Math.abs((report.rpoSeconds ?? 0) - age)).toBeLessThan(60);
  expect(report.rtoSeconds).toBeGreaterThan(0);
  expect(report.rtoSeconds).toBeLessThanOrEqual((Date.now() - begun) / 1000);
  expect(loaded).toMatchObject([
    {
      ...{ database: 'argus_db__drill_1', into: 'argus_db__drill_1', create: true, mode: 'swap' },
      ...{ service: 'argus', restoreId: expect.stringMatching(/^\d{8}-\d{6}-[0-9a-f]{6}$/) },
    },
  ]);
  expect(fake.steps).toEqual([
    'choose',
    'prove argus_3.sql.gz',
    'survey',
    'load',
    'verify',
    'swap',
    'drop argus_db__drill_1__old_1',
  ]);
  expect(done).toEqual(['drop', 'record', 'drill.objective_missed', 'record']);
  expect(recorded.at(-1)).toEqual(report);
  await keep('drill');
});

test('a drill that meets its objectives tells nobody', async () => {
  const objectives = { rtoSeconds: 600, rpoSeconds: 10 * 365 * 86_400 };
  await drills.start(drillOf(objectives));

  expect(await drills.outcome(it.restoreId)).toMatchObject({
    outcome: 'verified',
    missed: [],
    webhook: null,
  });
  expect(done).toEqual(['drop', 'record']);
});

test('a drill of a backup that is not good fails, tells so, and drops what it made; one that could not be done is inconclusive', async () => {
  fake.report = 'failed';
  webhookFails = 'ConfigInvalid';
  await drills.start(drillOf({ rtoSeconds: 1 }));
  expect(await drills.outcome(it.restoreId)).toMatchObject({
    ...{ outcome: 'failed', rtoSeconds: null, missed: [], webhook: 'failed', report: { outcome: 'failed' } },
    error: { code: 'VerificationFailed' },
    notices: expect.arrayContaining(['The webhook could not be told: not wanted']),
  });
  expect(await it.status()).toBe('FAILED');
  expect(done).toEqual(['drop', 'record', 'drill.failed', 'record']);
  await keep('drill-with-error');

  fake.report = 'verified';
  [webhookFails, dropFails] = [null, 'PermissionDenied'];
  fake.failures.set('load', failureOf('PermissionDenied', 'may not create databases'));
  const second = `${it.restoreId}-2`;
  await drills.start({ ...drillOf(), restoreId: second });
  expect(await drills.outcome(second)).toMatchObject({
    ...{ outcome: 'inconclusive', webhook: 'sent', error: { code: 'PermissionDenied' } },
    leftBehind: ['argus_db__drill_1'],
    notices: expect.arrayContaining(['argus_db__drill_1 could not be dropped: not its owner']),
  });
  expect(done.slice(4)).toEqual(['drop', 'record', 'drill.inconclusive', 'record']);
});

test('a drill can be paused with its restore, and drops its scratch place when it is cancelled', async () => {
  fake.gate.close();
  await drills.start(drillOf());
  await expect.poll(() => fake.steps).toContain('load');
  expect(await it.restores.pause(it.restoreId, 'lunch', true)).toBe('paused');
  await expect.poll(() => fake.steps).toContain('load broken off');
  await it.restores.resume(it.restoreId);
  await expect.poll(() => fake.steps.filter((step) => step === 'load').length).toBe(2);
  await expect
    .poll(() => drills.progress(it.restoreId))
    .toMatchObject({ restoreId: it.restoreId, step: 'load' });

  await it.restores.cancel(it.restoreId, null);
  expect(await drills.outcome(it.restoreId)).toMatchObject({ outcome: 'inconclusive', webhook: null });
  expect(await it.status()).toBe('CANCELLED');
  expect(done).toEqual(['drop', 'record']);
  await keep('drill-cancelled');
});
