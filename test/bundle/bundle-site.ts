import { randomBytes } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { fingerprint } from '../../src/config/fingerprint.ts';
import type { BundleOutcome } from '../../src/contract/bundle-activities.ts';
import { restoreWorkflowId, workflowTypes } from '../../src/contract/names.ts';
import type { BundleRequest } from '../../src/contract/run-request.ts';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { insertRun, readRun, type StoredRun } from '../../src/control/runs.ts';
import { createTestThaw, type TestPlaces, type TestThaw } from '../harness/thaw.ts';
import { recordsHistories, writeHistory } from '../workflows/history-file.ts';
import { makeZip } from './zip-writer.ts';

/** A line of a run's log. */
export interface LoggedLine {
  readonly level: string;
  readonly phase: string | null;
  readonly model: string | null;
  readonly record: string | null;
  readonly message: string;
  readonly detail: unknown;
}

/** Everything that a restore of a bundle needs, real: the API's part of it is played by the test. */
export interface BundleSite {
  readonly thaw: TestThaw;
  readonly control: ControlDatabase;
  /** Puts a bundle into S3 and makes a request for it. */
  request(
    files: Readonly<Record<string, string>> | Buffer,
    rest?: Partial<BundleRequest>,
  ): Promise<BundleRequest>;
  /** Writes the run and starts its workflow. */
  start(request: BundleRequest): Promise<WorkflowHandle>;
  /** Starts it and waits for the end; gives the run as it is kept. */
  restore(
    files: Readonly<Record<string, string>> | Buffer,
    rest?: Partial<BundleRequest>,
  ): Promise<StoredRun>;
  run(id: string): Promise<StoredRun>;
  log(id: string): Promise<LoggedLine[]>;
  /** Rows of a query, as JSON. */
  /** Keeps the history of a restore for replay.test.ts, when `scripts/record-histories.mjs` runs the test. */
  keepHistory(name: string, runId: string): Promise<void>;
  rows(sql: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** @param name begins the name of the database */
export async function createBundleSite(
  name: string,
  worker: 'worker' | 'no worker' = 'worker',
  places: TestPlaces = {},
): Promise<BundleSite> {
  const thaw = await createTestThaw(name, worker, places);
  const control = new ControlDatabase(thaw.database.url);
  const site: BundleSite = {
    thaw,
    control,
    request: async (files, rest = {}) => {
      const restoreId = `run-${randomBytes(6).toString('hex')}`;
      const key = `bundles/${restoreId}.zip`;
      await thaw.bucket.put(key, Buffer.isBuffer(files) ? files : await makeZip(files));
      return {
        restoreId,
        tenant: 'a',
        fingerprint: fingerprint(thaw.config, thaw.database.name),
        database: thaw.database.name,
        namespace: 'public',
        source: { kind: 'stored', key, sha256: '', filename: 'bundle.zip' },
        conflictStrategy: 'upsert',
        include: ['describe', 'data'],
        models: null,
        createModels: true,
        dryRun: false,
        validateOnly: false,
        incremental: false,
        ...rest,
      };
    },
    start: async (request) => {
      await control.use((client) =>
        insertRun(client, {
          id: request.restoreId,
          tenant: request.tenant,
          restoreId: null,
          restoreName: null,
          sourceFilename: 'bundle.zip',
          configSnapshot: {},
          request: { sourceType: 'upload', bundle: request },
          createdBy: 'somebody',
        }),
      );
      return thaw.client.workflow.start(workflowTypes.restoreBundle, {
        taskQueue: thaw.temporal.taskQueue,
        workflowId: restoreWorkflowId(request.restoreId),
        args: [request],
      });
    },
    restore: async (files, rest) => {
      const request = await site.request(files, rest);
      const handle = await site.start(request);
      // Of one that fails the run tells why.
      await (handle.result() as Promise<BundleOutcome>).catch(() => {});
      return site.run(request.restoreId);
    },
    run: async (id) => {
      const run = await control.use((client) => readRun(client, id, null));
      if (run === null) throw new Error(`There is no run ${id}`);
      return run;
    },
    log: (id) =>
      site.rows(
        `select level, phase, model_name as model, record_id as record, message, detail
         from thaw_api.restore_logs where run_id = '${id}' order by id`,
      ) as Promise<unknown> as Promise<LoggedLine[]>,
    keepHistory: async (name, runId) => {
      if (!recordsHistories) return;
      const workflowId = restoreWorkflowId(runId);
      writeHistory(name, workflowId, await thaw.client.workflow.getHandle(workflowId).fetchHistory());
    },
    rows: async (sql) => {
      const { rows } = await thaw.pg.query<{ row: Record<string, unknown> }>(
        `select to_jsonb(r) as row from (${sql}) as r`,
      );
      return rows.map(({ row }) => row);
    },
    close: async () => {
      await control.close();
      await thaw.close();
    },
  };
  return site;
}
