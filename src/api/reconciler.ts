import type { Logger } from 'pino';
import type { RestoreClient, RestoreDescription } from '../client/restore-client.ts';
import { isTemporalUnavailable } from '../client/temporal-error.ts';
import { isEnded } from '../contract/progress.ts';
import type { ControlDatabase } from '../control/control-database.ts';
import { appendLogs } from '../control/logs.ts';
import { readRun, type StoredRun, takeUntouchedRuns, touchRun, updateRun } from '../control/runs.ts';
import { forgottenRestore, terminatedRestore } from '../restore/lost-restore.ts';
import { bareRun, type Run } from './run.ts';
import type { Sources } from './sources/sources.ts';

/** What the reconciler works with. */
export interface ReconcilerDependencies {
  readonly control: ControlDatabase;
  readonly restores: Pick<RestoreClient, 'describe' | 'startRun'>;
  readonly sources: Sources;
  readonly logger: Logger;
}

/** A run that was compared with Temporal. */
export interface Reconciled {
  readonly stored: StoredRun;
  /** What its workflow told; null of one that has not begun, or had ended before. */
  readonly run: Run | null;
}

/** Runs that are looked at in one pass, and at the same time. */
const runsAtOnce = { pass: 200, together: 8 };

/**
 * Makes the run table agree with Temporal, whatever dies in between: a run that was written and not started is
 * started, how far one is and how it ended is written. All of it may be done again, and by several processes.
 */
export class Reconciler {
  readonly #dependencies: ReconcilerDependencies;

  constructor(dependencies: ReconcilerDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Looks after the runs that nobody has looked after for some seconds.
   *
   * @returns how many of them have ended
   */
  async pass(seconds: number): Promise<number> {
    const { control, logger } = this.#dependencies;
    const runs = await control.use((client) => takeUntouchedRuns(client, seconds, runsAtOnce.pass));
    let ended = 0;
    const look = async (): Promise<void> => {
      for (let run = runs.shift(); run !== undefined; run = runs.shift()) {
        try {
          const { stored } = await this.refresh(run);
          if (isEnded(stored.state)) ended += 1;
        } catch (error) {
          // Where no worker answers for a run, it is so each time.
          const level = isTemporalUnavailable(error) ? 'debug' : 'warn';
          logger[level]({ err: error, runId: run.id }, 'a run could not be compared with Temporal');
        }
      }
    };
    await Promise.all(Array.from({ length: runsAtOnce.together }, look));
    return ended;
  }

  /**
   * Compares a run with Temporal, and writes what has changed.
   *
   * @throws Error when Temporal, or the worker that answers for the run, cannot be asked
   */
  async refresh(stored: StoredRun): Promise<Reconciled> {
    if (isEnded(stored.state)) return { stored, run: null };
    const { control, restores, sources } = this.#dependencies;
    const source = sources.ofRequest(stored.request);
    const description = await restores.describe(stored.id);
    if (description === null) return this.#unknown(stored);
    switch (description.standing) {
      case 'queued':
        await control.use((client) => touchRun(client, stored.id));
        return { stored: await this.#read(stored), run: null };
      case 'broken':
        return this.#write(
          stored,
          (await this.#recalled(stored)) ??
            bareRun(
              stored.id,
              'failed',
              description,
              terminatedRestore(source.workflow(stored.request).type),
            ),
        );
      default:
        return this.#write(stored, unfinished(await source.observe(stored.id, description), description));
    }
  }

  /**
   * Sees to it that messages reach the workflow of a run: starts one that was not, writes the end of one that has
   * ended. Needs no worker for one that goes on.
   */
  async settle(stored: StoredRun): Promise<StoredRun> {
    if (isEnded(stored.state)) return stored;
    const description = await this.#dependencies.restores.describe(stored.id);
    if (description !== null && description.endedAt === null) return stored;
    return (await this.refresh(stored)).stored;
  }

  /** Starts the workflow of a run that was written; of one that runs or ran already, nothing happens. */
  async start(stored: Pick<StoredRun, 'id' | 'request'>): Promise<void> {
    const { control, restores, sources } = this.#dependencies;
    await restores.startRun(stored.id, sources.ofRequest(stored.request).workflow(stored.request));
    await control.use((client) => touchRun(client, stored.id));
  }

  /** The start of a run was lost, or Temporal has forgotten it since it ended. */
  async #unknown(stored: StoredRun): Promise<Reconciled> {
    const source = this.#dependencies.sources.ofRequest(stored.request);
    const recalled = await this.#recalled(stored);
    if (recalled !== null) return this.#write(stored, recalled);
    if (stored.state === 'queued') {
      await this.start(stored);
      return { stored: await this.#read(stored), run: null };
    }
    const times = { createdAt: stored.createdAt, endedAt: new Date() };
    const lost = forgottenRestore(source.workflow(stored.request).type);
    return this.#write(stored, bareRun(stored.id, 'failed', times, lost));
  }

  /** Its end, where its own record tells it. */
  async #recalled(stored: StoredRun): Promise<Run | null> {
    const recalled = await this.#dependencies.sources.ofRequest(stored.request).recall(stored.id);
    return recalled !== null && isEnded(recalled.state) ? recalled : null;
  }

  async #write(stored: StoredRun, run: Run): Promise<Reconciled> {
    const { control, sources } = this.#dependencies;
    const source = sources.ofRequest(stored.request);
    return control.transaction(async (client) => {
      const written = await updateRun(client, stored.id, source.change(run));
      if (written) await appendLogs(client, stored.id, source.lines(run));
      return { stored: (await readRun(client, stored.id, null)) ?? stored, run };
    });
  }

  /** As it stands by now. */
  async #read(stored: StoredRun): Promise<StoredRun> {
    return (await this.#dependencies.control.use((client) => readRun(client, stored.id, null))) ?? stored;
  }
}

/**
 * A workflow that went on when it was asked for may say meanwhile that it has ended, before it has told with what:
 * it is looked at again.
 */
function unfinished(run: Run, { standing }: RestoreDescription): Run {
  return standing === 'running' && isEnded(run.state) ? { ...run, state: 'finishing' } : run;
}
