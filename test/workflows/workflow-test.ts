import { randomBytes } from 'node:crypto';
import { Client, Connection, type WorkflowExecutionInfo } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { NativeConnection, Worker } from '@temporalio/worker';
import pino from 'pino';
import { expect } from 'vitest';
import { RestoreClient } from '../../src/client/restore-client.ts';
import { restoreWorkflowId, targetWorkflowId } from '../../src/contract/names.ts';
import type { RestoreProgress, TableProgress } from '../../src/contract/progress.ts';
import {
  defaultRestoreOptions,
  type RestoreOptions,
  type RestoreRequest,
} from '../../src/contract/restore-request.ts';
import { installRuntime } from '../../src/worker-runtime.ts';
import { testBundle } from '../harness/temporal.ts';
import { FakeDatabase } from './fake-database.ts';
import { recordsHistories, writeHistory } from './history-file.ts';

const { EventType, WorkflowTaskFailedCause } = temporal.api.enums.v1;

/** The workflows on a real Temporal server, with a {@link FakeDatabase} behind them. */
export interface WorkflowTest {
  readonly fake: FakeDatabase;
  readonly client: Client;
  readonly restores: RestoreClient;
  readonly connection: NativeConnection;
  readonly taskQueue: string;
  readonly restoreId: string;
  /** Name of the database: a part of the ids of tables. */
  readonly database: string;
  request(options?: Partial<RestoreOptions>): RestoreRequest;
  start(options?: Partial<RestoreOptions>): Promise<void>;
  progress(): Promise<RestoreProgress>;
  tableProgress(table: string): Promise<TableProgress>;
  tableId(table: string): string;
  /** How Temporal says that the restore ended. */
  status(): Promise<string>;
  /** All workflow executions of the test, once none of them runs any more. */
  executions(): Promise<WorkflowExecutionInfo[]>;
  /** Keeps a history for replay.test.ts, when `scripts/record-histories.mjs` runs the test. */
  keepHistory(name: string, workflowId: string, runId?: string): Promise<void>;
  /** Stops the worker; fails when a workflow task of any of its workflows has failed. */
  close(): Promise<void>;
}

/**
 * @param address of the Temporal server
 * @param maxCachedWorkflows 0: each task replays the whole history, so that what is not deterministic shows;
 * then do not query in a loop, as a task that is met by a query is lost now and then, for 10 seconds
 * @param activities besides those of the fake
 */
export async function startWorkflowTest(
  address: string,
  maxCachedWorkflows = 100,
  activities: object = {},
): Promise<WorkflowTest> {
  installRuntime(pino({ level: 'error' }));
  const unique = randomBytes(4).toString('hex');
  const taskQueue = `workflows-${unique}`;
  const fake = new FakeDatabase();
  const connection = await NativeConnection.connect({ address });
  const clientConnection = await Connection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    identity: 'worker',
    workflowBundle: testBundle(),
    activities: { ...fake.activities(), ...activities },
    maxCachedWorkflows,
    maxHeartbeatThrottleInterval: '100ms',
    defaultHeartbeatThrottleInterval: '100ms',
  });
  const running = worker.run();
  const client = new Client({ connection: clientConnection, identity: 'client' });
  const restores = new RestoreClient(client, taskQueue);
  const restoreId = `workflows-${unique}`;
  const database = `db-${unique}`;
  const test: WorkflowTest = {
    fake,
    client,
    restores,
    connection,
    taskQueue,
    restoreId,
    database,
    request: (options = {}) => ({
      restoreId,
      fingerprint: 'none',
      database,
      tables: fake.tables.map(({ table }) => table),
      keys: null,
      options: { ...defaultRestoreOptions, ...options },
    }),
    start: async (options) => {
      await restores.start(test.request(options));
    },
    progress: () => restores.progress(restoreId),
    tableProgress: (table) => client.workflow.getHandle(test.tableId(table)).query<TableProgress>('progress'),
    tableId: (table) => targetWorkflowId(database, 'public', table),
    status: async () => {
      const { status } = await client.workflow.getHandle(restoreWorkflowId(restoreId)).describe();
      return status.name;
    },
    executions: () => endedExecutions(client, taskQueue),
    keepHistory: async (name, workflowId, runId) => {
      if (!recordsHistories) return;
      const handle = client.workflow.getHandle(workflowId, runId);
      writeHistory(name, workflowId, await handle.fetchHistory());
    },
    close: async () => {
      try {
        await expectNoFailedTask(client, await test.executions());
      } finally {
        worker.shutdown();
        await running;
        await connection.close();
        await clientConnection.close();
      }
    },
  };
  return test;
}

/** A cancelled load is no news. */
/** The list of executions is a little behind what happens. */
async function endedExecutions(client: Client, taskQueue: string): Promise<WorkflowExecutionInfo[]> {
  const executions: WorkflowExecutionInfo[] = [];
  const open = async () => {
    executions.length = 0;
    for await (const execution of client.workflow.list({ query: `TaskQueue = '${taskQueue}'` }))
      executions.push(execution);
    return executions.filter(({ status }) => status.name === 'RUNNING').map(({ workflowId }) => workflowId);
  };
  await expect.poll(open, { timeout: 10_000, interval: 100 }).toEqual([]);
  return executions;
}

/** A task may fail because a message came while it was answered: the next one sees the message. */
async function expectNoFailedTask(client: Client, executions: WorkflowExecutionInfo[]): Promise<void> {
  const failures: string[] = [];
  for (const { workflowId, runId } of executions) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    for (const { eventType, workflowTaskFailedEventAttributes: failed } of history.events ?? []) {
      if (eventType !== EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED) continue;
      if (failed?.cause === WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND) continue;
      failures.push(`${workflowId}: ${failed?.failure?.message ?? failed?.cause}`);
    }
  }
  expect(failures).toEqual([]);
}
