import { Context } from '@temporalio/activity';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PitrClient } from '../../src/client/pitr-client.ts';
import { restoreWorkflowId } from '../../src/contract/names.ts';
import type { PitrActivities, PitrRequest, PitrStep } from '../../src/contract/pitr.ts';
import { testTemporal } from '../harness/temporal.ts';
import { Gate } from './fake-database.ts';
import { failureOf } from './fake-dumps.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

let it: WorkflowTest;
let recoveries: PitrClient;
/** What was done, in order. */
let done: string[];
let failing: PitrStep | 'discard' | null;
let verdict: 'verified' | 'failed';
const gate = new Gate();

async function step(name: PitrStep | 'discard'): Promise<void> {
  done.push(name);
  if (failing === name) throw failureOf('ArchiveCorrupt', 'not whole');
  if (name !== 'recover' || !gate.isClosed) return;
  const beat = setInterval(() => Context.current().heartbeat(), 50);
  await Promise.race([gate.opened, Context.current().cancelled]).finally(() => clearInterval(beat));
}

const activities: PitrActivities = {
  checkBase: async () => {
    await step('check');
    const wal = {
      first: '000000010000000000000002',
      last: '000000010000000000000003',
      segments: 2,
      missing: null,
    };
    const told = { startLsn: '0/2000028', startedAt: '2026-01-03T02:00:00.000Z', timeline: 1, bytes: 100 };
    return { kind: 'plain', ...told, wal, notices: ['checked'], searchAttributes: false };
  },
  unpackBase: async () => {
    await step('unpack');
    return { major: 15, files: 1, bytes: 100, isVerified: true, notices: [] };
  },
  fetchWal: async () => {
    await step('fetch');
    return { segments: 2, bytes: 2 };
  },
  recoverCluster: async () => {
    await step('recover');
    const told = {
      stoppedAt: 'before commit of transaction 741',
      lsn: '0/3000060',
      timeline: 2,
      notices: [],
    };
    return { port: 5999, serverVersion: '15.18', lastCommitAt: '2026-01-03T02:59:30Z', ...told };
  },
  verifyCluster: async () => {
    await step('verify');
    const outcome = verdict === 'failed' ? 'failed' : 'passed';
    return { outcome: verdict, checks: [{ name: 'check 1', outcome, detail: 'asked' }], databases: [] };
  },
  finishCluster: () => step('finish'),
  discardCluster: () => step('discard'),
};

beforeEach(async () => {
  [done, failing, verdict] = [[], null, 'verified'];
  it = await startWorkflowTest(testTemporal().address, 100, activities);
  recoveries = new PitrClient(it.client, it.taskQueue);
});

afterEach(async () => {
  gate.open();
  await it.close();
});

const keep = (name: string) => it.keepHistory(name, restoreWorkflowId(it.restoreId));

function request(): PitrRequest {
  return {
    ...{ restoreId: it.restoreId, base: '/base', wal: '/wal', fingerprint: '', into: '/into', port: null },
    ...{ target: { kind: 'time', time: '2026-01-03T03:00:00Z' }, isExclusive: false, timeline: 'latest' },
    ...{ user: 'postgres', database: 'postgres', checks: [], keepRunning: true, heartbeatSeconds: 5 },
  };
}

test('a recovery goes step by step, and tells how long it took and what is lost', async () => {
  await recoveries.start(request());
  expect(await recoveries.outcome(it.restoreId)).toMatchObject({
    ...{ state: 'completed', data: '/into/data', isRunning: true, rpoSeconds: 30, notices: ['checked'] },
    ...{ recovered: { timeline: 2 }, report: { outcome: 'verified' }, leftBehind: [], error: null },
  });
  expect(done).toEqual(['check', 'unpack', 'fetch', 'recover', 'verify', 'finish']);
  expect(await recoveries.progress(it.restoreId)).toMatchObject({
    ...{ state: 'completed', archives: { done: 1, total: 1 }, bytes: { done: 100, total: 100 } },
  });
  await keep('restore-pitr');
});

test('a recovery that is not what was expected is removed, and one that nothing was made of is not', async () => {
  verdict = 'failed';
  await recoveries.start(request());
  expect(await recoveries.outcome(it.restoreId)).toMatchObject({
    ...{ state: 'failed', data: null, isRunning: false, rtoSeconds: null },
    error: { code: 'VerificationFailed', message: expect.stringContaining('check 1: asked') },
  });
  expect(done.slice(-2)).toEqual(['verify', 'discard']);
  await keep('restore-pitr-with-error');

  [done, failing] = [[], 'check'];
  await recoveries.start({ ...request(), restoreId: `${it.restoreId}-2` });
  expect(await recoveries.outcome(`${it.restoreId}-2`)).toMatchObject({ error: { code: 'ArchiveCorrupt' } });
  expect(done).toEqual(['check']);
});

test('a recovery that was paused goes on at resume, and one that is cancelled is removed', async () => {
  gate.close();
  await recoveries.start(request());
  await expect.poll(() => done).toContain('recover');
  expect(await it.restores.pause(it.restoreId, 'lunch', false)).toBe('paused');
  await it.restores.resume(it.restoreId);
  await it.restores.cancel(it.restoreId, 'wrong one');
  expect(await recoveries.outcome(it.restoreId)).toMatchObject({
    state: 'cancelled',
    data: null,
    error: null,
  });
  expect(done).toEqual(['check', 'unpack', 'fetch', 'recover', 'discard']);
  await keep('restore-pitr-cancelled');
});
