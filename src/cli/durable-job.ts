import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { stableJson } from '../client/restore-id.ts';
import { stateDir } from '../config/environment.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { defaultRestoreOptions } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { type BegunRestore, beginRestore, type Restoring } from './begin-restore.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { TemporalFlags } from './flags.ts';
import { followRestore } from './follow.ts';
import { Interrupt } from './interrupt.ts';
import type { LeftoverScope } from './leftovers.ts';
import { OwnWorker } from './own-worker.ts';
import type { Printer } from './printer.ts';
import { type ProgressView, progressView } from './progress-view.ts';
import {
  clusterPlace,
  clusterTaskQueue,
  openCluster,
  openStandalone,
  restoresOf,
  type Temporal,
} from './temporal.ts';

/** A command that has something restored and waits for its end: of archives or of a dump. */
export interface DurableJob<Request extends { readonly restoreId: string }, Outcome> {
  readonly config: ThawConfig;
  readonly flags: TemporalFlags & {
    readonly taskQueue?: string;
    readonly json?: boolean;
    readonly detach?: boolean;
  };
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
  readonly logger: Logger;
  /** What is asked for, under an id. */
  request(restoreId: string, heartbeatSeconds: number): Request;
  /** What starts such a request and tells how it goes. */
  client(temporal: Temporal, taskQueue: string): Restoring<Request, Outcome>;
  /** Ends what commands that were killed have left in the way, on the own server. */
  clear(scope: LeftoverScope, request: Request): Promise<void>;
  /** Makes ready what the restore needs, before it is started; not where one that runs is joined. */
  prepare?(request: Request): Promise<void>;
  /** What is said once it has begun. */
  readonly notes: readonly string[];
  /** What is said of a restore that goes on after its command was killed, and Temporal has lost it. */
  readonly again: string;
  /** What is said when Ctrl-C cancels it. */
  readonly cancelling: string;
  /** Tells how it ended. */
  tellEnd(outcome: Outcome): ExitCode;
}

type AnyRequest = { readonly restoreId: string };

/** A worker of the own server that is gone is noticed sooner: nobody else's clock must be waited for. */
export const standaloneHeartbeatSeconds = 10;

/**
 * Has it restored, in the cluster that is named or else in the own server of this user, and tells how it goes and
 * how it ended.
 */
export async function runDurableJob<Request extends AnyRequest, Outcome>(
  job: DurableJob<Request, Outcome>,
): Promise<ExitCode> {
  const interrupt = new Interrupt();
  try {
    const place = clusterPlace(job.flags, job.env);
    if (place !== null) return await runInCluster(job, await openCluster(place, job.env), interrupt);
    if (job.flags.detach === true) throw noDetach();
    return await runStandalone(job, interrupt);
  } catch (error) {
    if (!interrupt.signal.aborted || error !== interrupt.signal.reason) throw error;
    job.printer.aside('Interrupted before anything was started.');
    return exitCodes.interrupted;
  } finally {
    interrupt.release();
  }
}

/** The workers of the cluster do the work; this command only watches, so Ctrl-C stops nothing. */
async function runInCluster<Request extends AnyRequest, Outcome>(
  job: DurableJob<Request, Outcome>,
  temporal: Temporal,
  interrupt: Interrupt,
): Promise<ExitCode> {
  try {
    const taskQueue = clusterTaskQueue(job.flags.taskQueue, job.env);
    const begun = await begin(job, temporal, taskQueue, async (request) => job.prepare?.(request));
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
async function runStandalone<Request extends AnyRequest, Outcome>(
  job: DurableJob<Request, Outcome>,
  interrupt: Interrupt,
): Promise<ExitCode> {
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
      await job.clear({ client, stateDir: state, config, env, say: printer.aside }, request);
      await job.prepare?.(request);
      // A workflow that is started before anybody polls may wait for its first task for seconds.
      await worker.start(taskQueue);
    });
    // One that was joined may be on the queue of another configuration.
    await worker.start(begun.taskQueue);
    const view = progressView(job.printer, job.flags.json === true);
    sayBegun(job, begun, view, temporal);
    cancelOnInterrupt(job, temporal, begun, view, interrupt);
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

function begin<Request extends AnyRequest, Outcome>(
  job: DurableJob<Request, Outcome>,
  temporal: Temporal,
  taskQueue: string,
  prepare: (request: Request) => Promise<void>,
): Promise<BegunRestore<Restoring<Request, Outcome>>> {
  const heartbeatSeconds =
    temporal.kind === 'standalone' ? standaloneHeartbeatSeconds : defaultRestoreOptions.heartbeatSeconds;
  return beginRestore({
    temporal,
    taskQueue,
    stateDir: stateDir(job.flags.stateDir, job.env).value,
    request: (restoreId) => job.request(restoreId, heartbeatSeconds),
    client: (queue) => job.client(temporal, queue),
    prepare,
  });
}

/** Two commands with two configurations must not take each other's work: the queue carries the configuration. */
export function standaloneTaskQueue({ path: _, ...settings }: ThawConfig): string {
  return `thaw-${createHash('sha256').update(stableJson(settings)).digest('hex').slice(0, 16)}`;
}

function cancelOnInterrupt<Request extends AnyRequest, Outcome>(
  { cancelling }: DurableJob<Request, Outcome>,
  temporal: Temporal,
  { restoreId, taskQueue }: BegunRestore<unknown>,
  view: ProgressView,
  interrupt: Interrupt,
): void {
  void interrupt.asked().then(async () => {
    view.say(`Cancelling: ${cancelling} Ctrl-C again leaves at once.`);
    try {
      await restoresOf(temporal, taskQueue).cancel(restoreId, null);
    } catch (error) {
      view.say(`It cannot be cancelled: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
}

function sayBegun<Request extends AnyRequest, Outcome>(
  { again, notes }: DurableJob<Request, Outcome>,
  begun: BegunRestore<unknown>,
  view: ProgressView,
  temporal: Temporal,
): void {
  const what = {
    started: `Restore ${begun.restoreId}`,
    joined: `Restore ${begun.restoreId}, begun before, goes on`,
    again: `Restore ${begun.restoreId}, begun before, ${again}`,
  }[begun.how];
  view.say(temporal.uiUrl === null ? what : `${what} (${temporal.uiUrl})`);
  for (const note of notes) view.say(note);
}

async function tellEnd<Request extends AnyRequest, Outcome>(
  job: DurableJob<Request, Outcome>,
  begun: BegunRestore<unknown>,
  outcome: Outcome,
): Promise<ExitCode> {
  const exitCode = job.tellEnd(outcome);
  await begun.forget();
  return exitCode;
}

function detached<Request extends AnyRequest, Outcome>(
  { printer, flags }: DurableJob<Request, Outcome>,
  { restoreId, how }: BegunRestore<unknown>,
): ExitCode {
  if (flags.json === true) printer.line(JSON.stringify({ restoreId, state: 'queued' }));
  else {
    printer.line(
      how === 'joined' ? `Restore ${restoreId} is running already.` : `Restore ${restoreId} is accepted.`,
    );
    printer.line(`Look at it with: thaw watch ${restoreId}`);
  }
  return exitCodes.done;
}

function leftGoing<Request extends AnyRequest, Outcome>(
  { printer, flags }: DurableJob<Request, Outcome>,
  { restoreId }: BegunRestore<unknown>,
): ExitCode {
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
