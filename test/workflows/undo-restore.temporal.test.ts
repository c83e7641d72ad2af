import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UndoClient } from '../../src/client/undo-client.ts';
import { restoreWorkflowId } from '../../src/contract/names.ts';
import type { UndoEnd, UndoFailure, UndoOutcome, UndoRequest } from '../../src/contract/undo-request.ts';
import { undoOutcome } from '../../src/restore/undo-progress.ts';
import { testTemporal } from '../harness/temporal.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

let it: WorkflowTest;
let undos: UndoClient;
let request: UndoRequest;
/** How attempts end, in their order; `hangs`: when it is cancelled. */
let ends: (ApplicationFailure | readonly UndoFailure[] | 'hangs')[];
let begun: number;
let recorded: UndoEnd[];

const nothingKept = ApplicationFailure.create({
  ...{ type: 'InputInvalid', message: 'nothing is kept', nonRetryable: true },
  details: [{ hint: 'Restore with --undoable.' }],
});

beforeEach(async () => {
  [begun, recorded, ends] = [0, [], []];
  const planUndo = async ({ undoes }: UndoRequest) => {
    if (undoes === 'plain') throw nothingKept;
    const table = { target: 'public.orders', inserted: 5, overwritten: 4, undone: 1 };
    return { searchAttributes: false, tables: [table] };
  };
  const undoRestore = async () => {
    begun += 1;
    const end = ends.shift() ?? [];
    if (end instanceof ApplicationFailure) throw end;
    if (end !== 'hangs') return end;
    const context = Context.current();
    const told = { tables: [{ target: 'public.orders', deleted: 3, broughtBack: 2, gone: 0 }] };
    const beating = setInterval(() => context.heartbeat(told), 50);
    await context.cancelled.finally(() => clearInterval(beating));
    return [];
  };
  const recordUndo = async (end: UndoEnd): Promise<UndoOutcome> => {
    recorded.push(end);
    const table = { target: 'public.orders', deleted: 6, broughtBack: 4, gone: 0, left: [], error: null };
    return undoOutcome(end, [table], null, Date.now());
  };
  it = await startWorkflowTest(testTemporal().address, 100, { planUndo, undoRestore, recordUndo });
  undos = new UndoClient(it.client, it.taskQueue);
  request = {
    ...{ restoreId: it.restoreId, undoes: 'r-1', fingerprint: 'f', database: 'shop' },
    ...{ disableTriggers: false, by: 'ada', reason: 'wrong day' },
  };
});

afterEach(() => it.close());

const keep = (name: string) => it.keepHistory(name, restoreWorkflowId(request.restoreId));
const undoing = () => undos.progress(request.restoreId).then((progress) => progress.undoing);

test('an undo is tried again, and tells what came of it', async () => {
  ends = [ApplicationFailure.create({ type: 'LockTimeout', message: 'a lock was not had' })];
  await undos.start(request);
  expect(await undos.outcome(request.restoreId)).toMatchObject({ state: 'completed', error: null });
  expect(begun).toBe(2);
  expect(recorded).toMatchObject([{ request, failures: [], isCancelled: false, error: null }]);
  await keep('undo-restore');
});

test('a pause breaks an undo off between two transactions, and resume goes on', async () => {
  ends = ['hangs'];
  await undos.start(request);
  await expect
    .poll(undoing, { timeout: 10_000 })
    .toEqual([{ target: 'public.orders', deleted: 3, broughtBack: 2, gone: 0, total: 10 }]);
  await it.restores.pause(request.restoreId, 'lunch', false);
  await expect
    .poll(() => undos.progress(request.restoreId), { timeout: 10_000 })
    .toMatchObject({ state: 'paused', reason: 'lunch' });
  await it.restores.resume(request.restoreId);
  expect(await undos.outcome(request.restoreId)).toMatchObject({ state: 'completed' });
  expect([begun, recorded.length]).toEqual([2, 1]);
  await keep('undo-restore-paused');
});

test('an undo that is cancelled writes down how far it came', async () => {
  ends = ['hangs'];
  await undos.start(request);
  await expect.poll(() => begun).toBe(1);
  await it.restores.cancel(request.restoreId, 'enough');
  expect(await undos.outcome(request.restoreId)).toMatchObject({
    ...{ state: 'cancelled', undoes: 'r-1' },
    tables: [{ target: 'public.orders', deleted: 6 }],
  });
  expect(recorded).toMatchObject([{ isCancelled: true, error: null }]);
  await keep('undo-restore-cancelled');
});

test('an undo that is refused says why, and nothing is written down', async () => {
  request = { ...request, undoes: 'plain' };
  await undos.start(request);
  expect(await undos.outcome(request.restoreId)).toMatchObject({
    state: 'failed',
    error: { code: 'InputInvalid', message: 'nothing is kept', hint: 'Restore with --undoable.' },
  });
  expect([begun, recorded]).toEqual([0, []]);
  await keep('undo-restore-with-error');
});
