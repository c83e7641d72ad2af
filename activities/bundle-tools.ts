import { Context } from '@temporalio/activity';
import type pg from 'pg';
import type { Bundle } from '../src/bundle/bundle.ts';
import { inWordsOfBundles } from '../src/bundle/bundle-hints.ts';
import type { OpenedBundles } from '../src/bundle/opened-bundles.ts';
import type { BundleTally } from '../src/contract/bundle-activities.ts';
import type { BundleRequest } from '../src/contract/run-request.ts';
import { appendLogs, type LogLine } from '../src/control/logs.ts';
import { LoadProgress } from '../src/load/load-progress.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { bundleSessionPrefix } from '../src/postgres/bundle-fence.ts';
import type { DecidedFile } from '../src/postgres/bundle-ledger.ts';
import { databaseError } from '../src/postgres/sqlstate.ts';
import { withHeartbeats } from './heartbeat.ts';
import type { WorkerControl } from './worker-control.ts';

/** What an activity of a bundle works with. */
export interface BundleTools {
  readonly bundle: Bundle;
  readonly progress: LoadProgress;
  /** To the target database. */
  readonly client: pg.Client;
}

/** What a worker has for the activities of bundles. */
export interface BundleWorker {
  readonly thaw: ThawContext;
  readonly control: WorkerControl;
  readonly bundles: OpenedBundles;
}

/** Lines written by one statement. */
const logBatch = 2_000;

/** Opens the bundle of a request, without any database. */
export async function withBundle<T>(
  { thaw, bundles }: BundleWorker,
  request: BundleRequest,
  action: (bundle: Bundle, progress: LoadProgress) => Promise<T>,
): Promise<T> {
  thaw.checkFingerprint(request);
  const { cancellationSignal: signal } = Context.current();
  const progress = new LoadProgress();
  return withHeartbeats(
    () => (progress.alive ? progress.snapshot() : null),
    async () => {
      try {
        return await bundles.use(request.source, signal, (bundle) => action(bundle, progress));
      } catch (error) {
        throw inWordsOfBundles(error);
      }
    },
  );
}

/** Opens the bundle of a request and a connection under the name of the attempt. */
export async function withBundleTools<T>(
  worker: BundleWorker,
  request: BundleRequest,
  action: (tools: BundleTools) => Promise<T>,
): Promise<T> {
  const { cancellationSignal: signal, info } = Context.current();
  const name = bundleSessionPrefix(request.restoreId) + info.attempt;
  return withBundle(worker, request, (bundle, progress) =>
    worker.thaw.withConnection(request, name, signal, async (client) => {
      // Whatever PostgreSQL takes its time for, deleting all records for instance, is no sign of death.
      progress.enter('merge', request.namespace);
      try {
        return await action({ bundle, progress, client });
      } catch (error) {
        throw databaseError(error, { object: request.namespace });
      }
    }),
  );
}

/** Writes lines into the log of a run; those that are there already are left out. */
export async function writeLog(
  { control }: BundleWorker,
  runId: string,
  lines: readonly LogLine[],
): Promise<void> {
  for (let from = 0; from < lines.length; from += logBatch) {
    const batch = lines.slice(from, from + logBatch);
    await control.database.use((client) => appendLogs(client, runId, batch));
  }
}

/** Adds up what became of files. */
export function tallyOf(files: readonly DecidedFile[]): BundleTally {
  const sum = (count: (file: DecidedFile) => number) => files.reduce((total, file) => total + count(file), 0);
  return {
    files: files.length,
    inserted: sum((file) => file.inserted),
    updated: sum((file) => file.updated),
    skipped: sum((file) => file.skipped),
    deleted: sum((file) => file.deleted),
  };
}
