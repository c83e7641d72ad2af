import { NativeConnection } from '@temporalio/worker';
import pino from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { restoreWorkflowId } from '../../src/contract/names.ts';
import { registerSearchAttributes } from '../../src/search-attributes.ts';
import { testTemporal } from '../harness/temporal.ts';
import { archivesOf, failed, planned, restored } from './fake-database.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

/** What people see of a restore who look at Temporal: its UI, its command line, its search. */
let it: WorkflowTest;

beforeEach(async () => {
  it = await startWorkflowTest(testTemporal().address);
  it.fake.tables = [planned('t')];
  it.fake.archives.set('t', archivesOf('t', 5));
  it.fake.load = (input) => (input.firstOrdinal === 0 ? failed(input) : restored(input));
});

afterEach(async () => {
  it.fake.gate.open();
  await it.close();
});

/** The query that the UI asks for current details. */
async function detailsOf(workflowId: string): Promise<string> {
  const metadata = await it.client.workflow
    .getHandle(workflowId)
    .query<{ currentDetails: string }>('__temporal_workflow_metadata');
  return metadata.currentDetails;
}

async function searchOf(workflowId: string): Promise<Record<string, unknown>> {
  const { searchAttributes } = await it.client.workflow.getHandle(workflowId).describe();
  return Object.fromEntries(Object.entries(searchAttributes).filter(([name]) => name.startsWith('Thaw')));
}

/** What the UI shows of the activities of a workflow. */
async function activitySummaries(workflowId: string): Promise<(string | undefined)[]> {
  const { events } = await it.client.workflow.getHandle(workflowId).fetchHistory();
  const scheduled = events?.filter((event) => event.activityTaskScheduledEventAttributes) ?? [];
  return scheduled.map(({ userMetadata }) => {
    const summary = userMetadata?.summary?.data;
    return summary ? (JSON.parse(Buffer.from(summary).toString()) as string) : undefined;
  });
}

test('summaries name what is restored, current details how far it is and what failed', async () => {
  const load = `${it.tableId('t')}/${it.restoreId}/2026-01-04T053001_batch_001`;
  it.fake.gate.close();
  await it.start({ lanes: 1 });
  await vi.waitFor(() => expect(it.fake.inFlight).toBe(1), 10_000);
  expect(await detailsOf(restoreWorkflowId(it.restoreId))).toMatch(
    /^\*\*running\*\* `db-.*`: rows: 0 inserted/,
  );
  expect(await detailsOf(it.tableId('t'))).toContain('**running** `public.t`: 0 of 5 archives (0 %)');
  expect(await detailsOf(it.tableId('t'))).toContain('In flight: `2026-01-04T053001_batch_001`');
  expect(await detailsOf(load)).toContain('t_20260104T053001Z_batch_001.jsonl.gz` 1000 B: loading');

  it.fake.gate.open();
  await it.restores.outcome(it.restoreId);
  const table = await detailsOf(it.tableId('t'));
  expect(table).toContain('**completed_with_failures** `public.t`: 5 of 5 archives (100 %)');
  expect(table).toContain('rows: 40 inserted, 0 updated, 0 skipped, 10 failed');
  expect(table).toMatch(
    /1 failed archive:\n\n\* \*\*ChecksumMismatch\*\* .*_batch_001.jsonl.gz: it was made to fail/,
  );
  expect(await detailsOf(restoreWorkflowId(it.restoreId))).toContain(
    '| `public.t` | completed_with_failures | 5 of 5 (100 %) | 40 | 0 | 10 | 1 |',
  );
  expect(await detailsOf(load)).toContain(': **ChecksumMismatch** ');

  const summary = async (id: string) => (await it.client.workflow.getHandle(id).describe()).staticSummary();
  expect(await summary(restoreWorkflowId(it.restoreId))).toBe(`${it.database} (skip): t`);
  expect(await summary(it.tableId('t'))).toBe(`${it.database}: public.t`);
  expect(await summary(load)).toBe('public.t 2026-01-04T053001_batch_001');
  expect(await activitySummaries(load)).toEqual(['2026-01-04T053001_batch_001']);
  const ofTable = await activitySummaries(it.tableId('t'));
  expect(ofTable).toContain('list archives');
  expect(ofTable.at(-1)).toBe('write into the audit trail');
  expect(ofTable).not.toContain(undefined);
});

test('search attributes tell restore, database, table and state, where they are registered', async () => {
  const connection = await NativeConnection.connect({ address: testTemporal().address });
  it.fake.searchAttributes = await registerSearchAttributes(connection, 'default', pino({ level: 'silent' }));
  await connection.close();
  expect(it.fake.searchAttributes).toBe(true);
  const common = { ThawRestoreId: [it.restoreId], ThawDatabase: [it.database] };
  it.fake.gate.close();
  await it.start({ lanes: 1 });
  await vi.waitFor(() => expect(it.fake.inFlight).toBe(1), 10_000);
  await it.restores.pause(it.restoreId, null, false);
  await expect
    .poll(() => searchOf(it.tableId('t')))
    .toEqual({ ...common, ThawTable: ['public.t'], ThawState: ['pausing'] });
  it.fake.gate.open();
  await expect
    .poll(() => searchOf(restoreWorkflowId(it.restoreId)))
    .toEqual({ ...common, ThawState: ['paused'] });

  await it.restores.resume(it.restoreId);
  await it.restores.outcome(it.restoreId);
  const ended = { ...common, ThawState: ['completed_with_failures'] };
  expect(await searchOf(restoreWorkflowId(it.restoreId))).toEqual(ended);
  expect(await searchOf(it.tableId('t'))).toEqual({ ...ended, ThawTable: ['public.t'] });
  expect(await searchOf(`${it.tableId('t')}/${it.restoreId}/2026-01-04T053001_batch_005`)).toEqual({
    ...common,
    ThawTable: ['public.t'],
  });
});

test('search attributes are left out where they are not registered', async () => {
  await it.start();
  expect(await it.restores.outcome(it.restoreId)).toMatchObject({ state: 'completed_with_failures' });
  for (const { workflowId } of await it.executions()) expect(await searchOf(workflowId)).toEqual({});
});
