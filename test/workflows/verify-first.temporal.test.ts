import { afterEach, beforeEach, expect, test } from 'vitest';
import { testTemporal } from '../harness/temporal.ts';
import { archivesOf, planned } from './fake-database.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

let it: WorkflowTest;

const patient = { timeout: 20_000 };

beforeEach(async () => {
  it = await startWorkflowTest(testTemporal().address);
  it.fake.tables = [planned('a'), planned('b')];
  it.fake.archives.set('a', archivesOf('a', 2)).set('b', archivesOf('b', 2));
});

afterEach(async () => {
  it.fake.verifyGate.open();
  await it.close();
});

test('a bad archive of one table leaves the others untouched, too', async () => {
  const bad = { archive: 'b1', code: 'ArchiveChanged', message: 'b1: changed', hint: 'look' } as const;
  it.fake.unsound.set('b', [{ ...bad, stage: 'download', rows: 0 }]);
  await it.start({ verifyFirst: true });

  const outcome = await it.restores.outcome(it.restoreId);
  expect(it.fake.steps).toEqual(['verify a', 'verify b']);
  expect(it.fake.loads).toEqual([]);
  expect(outcome).toMatchObject({
    state: 'failed',
    error: {
      code: 'ArchiveChanged',
      message: '1 of 4 archives did not pass --verify-first, so nothing was loaded.',
    },
    tally: { archives: { restored: 0, failed: 1 } },
    tables: [
      {
        target: 'public.a',
        error: null,
        notices: ['Nothing was loaded, as archives of other tables did not pass --verify-first.'],
      },
      { target: 'public.b', failures: [{ archive: 'b1' }], error: { code: 'ArchiveChanged' } },
    ],
  });
  expect(it.fake.recorded.map(({ state }) => state)).toEqual(['failed']);
});

test('it can be paused while archives are read: the page ends, or is given up and read again', async () => {
  it.fake.verifyGate.close();
  await it.start({ verifyFirst: true });
  await expect.poll(() => it.fake.steps, patient).toEqual(['verify a']);
  expect(await it.restores.pause(it.restoreId, null, false)).toBe('pausing');
  it.fake.verifyGate.open();
  const state = async () => (await it.progress()).state;
  await expect.poll(state, patient).toBe('paused');
  expect(it.fake.steps).toEqual(['verify a']);

  it.fake.verifyGate.close();
  await it.restores.resume(it.restoreId);
  await expect.poll(() => it.fake.steps, patient).toEqual(['verify a', 'verify b']);
  await it.restores.pause(it.restoreId, null, true);
  await expect.poll(state, patient).toBe('paused');
  it.fake.verifyGate.open();
  await it.restores.resume(it.restoreId);
  expect(await it.restores.outcome(it.restoreId)).toMatchObject({
    state: 'completed',
    tally: { archives: { restored: 4 } },
  });
  expect(it.fake.steps.slice(0, 3)).toEqual(['verify a', 'verify b', 'verify b']);
});

test('it can be cancelled while archives are read', async () => {
  it.fake.verifyGate.close();
  await it.start({ verifyFirst: true });
  await expect.poll(() => it.fake.steps, patient).toEqual(['verify a']);
  await it.restores.cancel(it.restoreId, null);
  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ state: 'cancelled' });
  expect(it.fake.loads).toEqual([]);
  expect(it.fake.recorded.map((each) => each.state)).toEqual(['cancelled']);
});
