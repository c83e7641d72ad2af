import { CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import type { Logger } from 'pino';
import { newRestoreId } from '../client/restore-id.ts';
import { SnapshotClient } from '../client/snapshot-client.ts';
import { type SnapshotInput, toSnapshotRequest } from '../client/snapshot-request.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { defaultRestoreOptions } from '../contract/restore-request.ts';
import type { CreateSnapshotRequest } from '../contract/snapshot.ts';
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
    const request = requestOf(job, defaultRestoreOptions.heartbeatSeconds);
    return await take(job, new SnapshotClient(temporal.client, taskQueue), request, interrupt);
  } finally {
    await temporal.close();
  }
}

async function takeHere(job: SnapshotCreateJob, interrupt: Interrupt): Promise<ExitCode> {
  const { config, env, logger, flags } = job;
  const request = requestOf(job, standaloneHeartbeatSeconds);
  // The SDK of workers takes most of a second to load: the time in which the server starts.
  const loading = import('../worker.ts');
  const temporal = await openStandalone(flags, env, logger, interrupt.signal);
  const { options: connection, namespace, client } = temporal;
  const worker = new OwnWorker(loading, { config, env, logger, connection, namespace });
  try {
    const taskQueue = standaloneTaskQueue(config);
    await worker.start(taskQueue);
    const taking = take(job, new SnapshotClient(client, taskQueue), request, interrupt);
    return await Promise.race([taking, worker.gone()]);
  } finally {
    await worker.stop();
    await temporal.close();
  }
}

function requestOf({ config, input }: SnapshotCreateJob, heartbeatSeconds: number): CreateSnapshotRequest {
  return toSnapshotRequest(config, input, newRestoreId(), heartbeatSeconds);
}

async function take(
  { printer, flags }: SnapshotCreateJob,
  snapshots: SnapshotClient,
  request: CreateSnapshotRequest,
  interrupt: Interrupt,
): Promise<ExitCode> {
  interrupt.signal.throwIfAborted();
  printer.aside(`Snapshot ${request.id}`);
  void interrupt.asked().then(async () => {
    printer.aside('Cancelling: what was written is taken away. Ctrl-C again leaves at once.');
    await snapshots.cancel(request.id).catch((error: unknown) => {
      printer.aside(`It cannot be cancelled: ${error instanceof Error ? error.message : String(error)}`);
    });
  });
  try {
    const summary = await snapshots.take(request);
    if (flags.json === true) printer.line(JSON.stringify(summary));
    else for (const line of summaryLines(summary)) printer.line(line);
    return exitCodes.done;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError && error.cause instanceof CancelledFailure)) throw error;
    printer.aside('Cancelled: nothing is left of the snapshot.');
    return exitCodes.interrupted;
  }
}
