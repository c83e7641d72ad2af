import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SnapshotClient } from '../../src/client/snapshot-client.ts';
import { snapshotWorkflowId } from '../../src/contract/names.ts';
import type { CreateSnapshotRequest, SnapshotSummary } from '../../src/contract/snapshot.ts';
import { testTemporal } from '../harness/temporal.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

let it: WorkflowTest;
let snapshots: SnapshotClient;
let request: CreateSnapshotRequest;
/** How attempts end, in their order; `hangs`: when it is cancelled. */
let ends: (ApplicationFailure | SnapshotSummary | 'hangs')[];
let begun: number;
let discarded: string[];

beforeEach(async () => {
  begun = 0;
  discarded = [];
  const writeSnapshot = async () => {
    begun += 1;
    const end = ends.shift();
    if (end === 'hangs') {
      const context = Context.current();
      const beating = setInterval(() => context.heartbeat(), 100);
      await context.cancelled.finally(() => clearInterval(beating));
    }
    if (end instanceof ApplicationFailure) throw end;
    return end;
  };
  const discardSnapshot = async ({ id }: CreateSnapshotRequest) => {
    discarded.push(id);
  };
  it = await startWorkflowTest(testTemporal().address, 100, { writeSnapshot, discardSnapshot });
  snapshots = new SnapshotClient(it.client, it.taskQueue);
  request = {
    ...{
      id: it.restoreId,
      name: 'nightly',
      database: 'shop',
      fingerprint: 'f',
      type: 'automated',
      by: 'ada',
    },
    ...{ tables: [], schemas: ['public'], tenant: null, keep: null, readers: 2, partBytes: 1000 },
  };
});

afterEach(() => it.close());

const keep = (name: string) => it.keepHistory(name, snapshotWorkflowId(request.id));

test('a snapshot is tried again, and nothing of it is taken away', async () => {
  const summary: SnapshotSummary = {
    ...{ id: request.id, name: 'nightly', type: 'automated', createdAt: '2026-01-04T05:20:21.000Z' },
    ...{
      createdBy: 'ada',
      expiresAt: null,
      database: 'shop',
      tenant: null,
      tables: [],
      totalRows: 0,
      bytes: 0,
    },
  };
  ends = [ApplicationFailure.create({ type: 'LockTimeout', message: 'a lock was not had' }), summary];
  expect(await snapshots.take(request)).toEqual(summary);
  expect([begun, discarded]).toEqual([2, []]);
  await keep('create-snapshot');
});

test('of a snapshot that cannot be taken nothing is left, and it says why', async () => {
  const details = [{ hint: 'Name another.' }];
  ends = [ApplicationFailure.create({ type: 'TargetMissing', message: 'no', nonRetryable: true, details })];
  await expect(snapshots.take(request)).rejects.toMatchObject({
    ...{ code: 'TargetMissing', message: 'no', hint: 'Name another.' },
  });
  expect(discarded).toEqual([request.id]);
  await keep('create-snapshot-with-error');
});

test('of a snapshot that is cancelled nothing is left', async () => {
  ends = ['hangs'];
  const taking = expect(snapshots.take(request)).rejects.toMatchObject({
    cause: expect.any(CancelledFailure),
  });
  await expect.poll(() => begun).toBe(1);
  await snapshots.cancel(request.id);
  await taking;
  expect(discarded).toEqual([request.id]);
  await keep('create-snapshot-cancelled');
});
