import { CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import type { Logger } from 'pino';
import { SnapshotClient } from '../client/snapshot-client.ts';
import { type SnapshotInput, toSnapshotRequest } from '../client/snapshot-request.ts';
import { stateDir } from '../config/environment.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { defaultRestoreOptions } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { openStore } from '../store/open-store.ts';
import { type BegunSnapshot, beginSnapshot } from './begin-snapshot.ts';
import { standaloneHeartbeatSeconds, standaloneTaskQueue } from './durable-job.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { TemporalFlags } from './flags.ts';
import { Interrupt } from './interrupt.ts';
import { OwnWorker } from './own-worker.ts';
import type { Printer } from './printer.ts';
import { summaryLines } from './snapshot-lines.ts';
import { clusterPlace, clusterTaskQueue, openCluster, openStandalone, type Temporal } from './temporal.ts';

/** One `thaw snapshot create`. */
export interface SnapshotCreateJob {
  readonly config: ThawConfig;
  readonly input: SnapshotInput;
  readonly flags: TemporalFlags & { readonly taskQueue?: string; readonly json?: boolean };
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
  readonly logger: Logger;
}

/** Has a snapshot taken, by the workers of the cluster that is named or else in this process. Ctrl-C cancels it. */
export async function createSnapshot(job: SnapshotCreateJob): Promise<ExitCode> {
  const interrupt = new Interrupt();
  try {
    const place = clusterPlace(job.flags, job.env);
    return place === null
      ? await takeHere(job, interrupt)
      : await takeInCluster(job, await openCluster(place, job.env), interrupt);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    job.printer.aside('Interrupted: nothing is left of the snapshot.');
    return exitCodes.interrupted;
  } finally {
    interrupt.release();
  }
}

async function takeInCluster(
  job: SnapshotCreateJob,
  temporal: Temporal,
  interrupt: Interrupt,
): Promise<ExitCode> {
  try {
    const taskQueue = clusterTaskQueue(job.flags.taskQueue, job.env);
    const { heartbeatSeconds } = defaultRestoreOptions;
    return await take(job, await begin(job, temporal, taskQueue, heartbeatSeconds), interrupt);
  } finally {
    await temporal.close();
  }
}

async function takeHere(job: SnapshotCreateJob, interrupt: Interrupt): Promise<ExitCode> {
  const { config, env, logger, flags } = job;
  // The SDK of workers takes most of a second to load: the time in which the server starts.
  const loading = import('../worker.ts');
  const temporal = await openStandalone(flags, env, logger, interrupt.signal);
  const { options: connection, namespace } = temporal;
  const worker = new OwnWorker(loading, { config, env, logger, connection, namespace });
  try {
    const begun = await begin(job, temporal, standaloneTaskQueue(config), standaloneHeartbeatSeconds);
    // One that was joined may be on the queue of another configuration.
    await worker.start(begun.taskQueue);
    const taking = take(job, begun, interrupt);
    return await Promise.race([taking, worker.gone()]);
  } finally {
    await worker.stop();
    await temporal.close();
  }
}

async function begin(
  { config, input, flags, env, printer }: SnapshotCreateJob,
  temporal: Temporal,
  taskQueue: string,
  heartbeatSeconds: number,
): Promise<BegunSnapshot> {
  const store = openStore(config.store, env);
  try {
    return await beginSnapshot({
      ...{ temporal, taskQueue, place: { store, prefix: config.store.prefix } },
      stateDir: stateDir(flags.stateDir, env).value,
      request: (id) => toSnapshotRequest(config, input, id, heartbeatSeconds),
      say: printer.aside,
    });
  } finally {
    store.close();
  }
}

async function take(
  { printer, flags }: SnapshotCreateJob,
  { request, taskQueue, client, isJoined, forget }: BegunSnapshot,
  interrupt: Interrupt,
): Promise<ExitCode> {
  interrupt.signal.throwIfAborted();
  const snapshots = new SnapshotClient(client, taskQueue);
  printer.aside(`Snapshot ${request.id}${isJoined ? ', begun before, goes on' : ''}`);
  void interrupt.asked().then(async () => {
    printer.aside('Cancelling: what was written is taken away. Ctrl-C again leaves at once.');
    await snapshots.cancel(request.id).catch((error: unknown) => {
      printer.aside(`It cannot be cancelled: ${error instanceof Error ? error.message : String(error)}`);
    });
  });
  try {
    const summary = await (isJoined ? snapshots.outcome(request.id) : snapshots.take(request));
    if (flags.json === true) printer.line(JSON.stringify(summary));
    else for (const line of summaryLines(summary)) printer.line(line);
    await forget();
    return exitCodes.done;
  } catch (error) {
    const isCancelled = error instanceof WorkflowFailedError && error.cause instanceof CancelledFailure;
    // Of whatever else is thrown nobody knows how it ended.
    if (isCancelled || error instanceof ThawError) await forget();
    if (!isCancelled) throw error;
    printer.aside('Cancelled: nothing is left of the snapshot.');
    return exitCodes.interrupted;
  }
}
