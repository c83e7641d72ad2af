import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { stableJson } from '../client/restore-id.ts';
import type { RestoreInput } from '../client/restore-input.ts';
import { toRestoreRequest } from '../client/restore-request.ts';
import { stateDir } from '../config/environment.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { RestoreOutcome } from '../contract/outcome.ts';
import { defaultRestoreOptions, type RestoreRequest } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { type BegunRestore, beginRestore } from './begin-restore.ts';
import { type ExitCode, exitCodeOf, exitCodes } from './exit-code.ts';
import { flagNaming, type TemporalFlags } from './flags.ts';
import { followRestore } from './follow.ts';
import { Interrupt } from './interrupt.ts';
import { endLeftovers } from './leftovers.ts';
import { OwnWorker } from './own-worker.ts';
import type { Printer } from './printer.ts';
import { type ProgressView, progressView } from './progress-view.ts';
import { summaryLines } from './summary.ts';
import { clusterPlace, clusterTaskQueue, openCluster, openStandalone, type Temporal } from './temporal.ts';

/** One `thaw restore` that loads. */
export interface RestoreJob {
  readonly config: ThawConfig;
  readonly input: RestoreInput;
  readonly flags: TemporalFlags & {
    readonly taskQueue?: string;
    readonly json?: boolean;
    readonly detach?: boolean;
  };
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
  readonly logger: Logger;
}

/** A worker of the own server that is gone is noticed sooner: nobody else's clock must be waited for. */
const standaloneHeartbeatSeconds = 10;

/**
 * Restores, in the cluster that is named or else in the own server of this user, and tells how it goes and
 * how it ended.
 */
export async function runRestoreJob(job: RestoreJob): Promise<ExitCode> {
  const interrupt = new Interrupt();
  try {
    const place = clusterPlace(job.flags, job.env);
    if (place !== null) return await restoreInCluster(job, await openCluster(place, job.env), interrupt);
    if (job.flags.detach === true) throw noDetach();
    return await restoreStandalone(job, interrupt);
  } catch (error) {
    if (!interrupt.signal.aborted || error !== interrupt.signal.reason) throw error;
    job.printer.aside('Interrupted before anything was started.');
    return exitCodes.interrupted;
  } finally {
    interrupt.release();
  }
}

/** The workers of the cluster do the work; this command only watches, so Ctrl-C stops nothing. */
async function restoreInCluster(
  job: RestoreJob,
  temporal: Temporal,
  interrupt: Interrupt,
): Promise<ExitCode> {
  try {
    const taskQueue = clusterTaskQueue(job.flags.taskQueue, job.env);
    const begun = await begin(job, temporal, taskQueue, async () => {});
    if (job.flags.detach === true) return detached(job, begun);
    const view = progressView(job.printer, job.flags.json === true);
    sayBegun(job, begun, view, temporal);
    const outcome = await followRestore(begun.restores, begun.restoreId, {
      view,
      silence: `Nobody answers on task queue ${begun.taskQueue}: is a \`thaw worker\` running?`,
      signal: interrupt.signal,
    });
    if (outcome === null) return leftGoing(job, begun);
    return await tellEnd(job, begun, outcome);
  } finally {
    await temporal.close();
  }
}

/** The worker runs in this process: Ctrl-C cancels and waits until what is in flight is rolled back. */
async function restoreStandalone(job: RestoreJob, interrupt: Interrupt): Promise<ExitCode> {
  // The SDK of workers takes most of a second to load: the time in which the server starts.
  const loading = import('../worker.ts');
  const temporal = await openStandalone(job.flags, job.env, job.logger, interrupt.signal);
  const { config, env, logger, printer, flags } = job;
  const { options: connection, namespace, client } = temporal;
  const worker = new OwnWorker(loading, { config, env, logger, connection, namespace });
  const done = new AbortController();
  try {
    interrupt.signal.throwIfAborted();
    const state = stateDir(flags.stateDir, env).value;
    const taskQueue = standaloneTaskQueue(config);
    const begun = await begin(job, temporal, taskQueue, async (request) => {
      await endLeftovers({ client, stateDir: state, config, env, say: printer.aside }, request);
      // A workflow that is started before anybody polls may wait for its first task for seconds.
      await worker.start(taskQueue);
    });
    // One that was joined may be on the queue of another configuration.
    await worker.start(begun.taskQueue);
    const view = progressView(job.printer, job.flags.json === true);
    sayBegun(job, begun, view, temporal);
    cancelOnInterrupt(begun, view, interrupt);
    const followed = followRestore(begun.restores, begun.restoreId, {
      view,
      silence: 'The worker has not answered for a while.',
      signal: done.signal,
    });
    const outcome = await Promise.race([followed, worker.gone()]);
    return outcome === null ? exitCodes.failed : await tellEnd(job, begun, outcome);
  } finally {
    done.abort();
    await worker.stop();
    await temporal.close();
  }
}

function begin(
  job: RestoreJob,
  temporal: Temporal,
  taskQueue: string,
  prepare: (request: RestoreRequest) => Promise<void>,
): Promise<BegunRestore> {
  const settings = {
    naming: flagNaming,
    heartbeatSeconds:
      temporal.kind === 'standalone' ? standaloneHeartbeatSeconds : defaultRestoreOptions.heartbeatSeconds,
  };
  return beginRestore({
    temporal,
    taskQueue,
    stateDir: stateDir(job.flags.stateDir, job.env).value,
    request: (restoreId) => toRestoreRequest(job.input, job.config, restoreId, settings),
    prepare,
  });
}

/** Two commands with two configurations must not take each other's work: the queue carries the configuration. */
function standaloneTaskQueue({ path: _, ...settings }: ThawConfig): string {
  return `thaw-${createHash('sha256').update(stableJson(settings)).digest('hex').slice(0, 16)}`;
}

function cancelOnInterrupt(begun: BegunRestore, view: ProgressView, interrupt: Interrupt): void {
  void interrupt.asked().then(async () => {
    view.say('Cancelling: what is in flight is rolled back. Ctrl-C again leaves at once.');
    try {
      await begun.restores.cancel(begun.restoreId, null);
    } catch (error) {
      view.say(`It cannot be cancelled: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
}

function sayBegun(job: RestoreJob, begun: BegunRestore, view: ProgressView, temporal: Temporal): void {
  const what = {
    started: `Restore ${begun.restoreId}`,
    joined: `Restore ${begun.restoreId}, begun before, goes on`,
    again: `Restore ${begun.restoreId}, begun before, goes on from what the ledger says`,
  }[begun.how];
  view.say(temporal.uiUrl === null ? what : `${what} (${temporal.uiUrl})`);
  if (job.input.restore_all) return;
  view.say('Note: archives named by --s3-key are restored even if they were restored before.');
}

async function tellEnd(job: RestoreJob, begun: BegunRestore, outcome: RestoreOutcome): Promise<ExitCode> {
  const { printer } = job;
  if (job.flags.json === true) {
    printer.line(JSON.stringify(outcome));
  } else {
    if (outcome.state === 'cancelled') {
      printer.line('Cancelled: what was in flight is rolled back; archives restored until then stay.');
    }
    for (const line of summaryLines(outcome)) printer.line(line);
  }
  await begun.forget();
  return exitCodeOf(outcome);
}

function detached({ printer, flags }: RestoreJob, { restoreId, how }: BegunRestore): ExitCode {
  if (flags.json === true) printer.line(JSON.stringify({ restoreId, state: 'queued' }));
  else {
    printer.line(
      how === 'joined' ? `Restore ${restoreId} is running already.` : `Restore ${restoreId} is accepted.`,
    );
    printer.line(`Look at it with: thaw watch ${restoreId}`);
  }
  return exitCodes.done;
}

function leftGoing({ printer, flags }: RestoreJob, { restoreId }: BegunRestore): ExitCode {
  if (flags.json === true) printer.line(JSON.stringify({ restoreId, state: 'running' }));
  printer.aside(`Restore ${restoreId} goes on in the cluster.`);
  printer.aside(`Look at it with: thaw watch ${restoreId}`);
  printer.aside(`Cancel it with: thaw cancel ${restoreId}`);
  return exitCodes.interrupted;
}

function noDetach(): ThawError {
  return new ThawError(
    'InputInvalid',
    '--detach: needs a Temporal cluster whose workers go on with the restore',
    {
      object: '--detach',
      hint: 'Set TEMPORAL_ADDRESS, or leave --detach out.',
    },
  );
}
