import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import type { RestoreClient } from '../client/restore-client.ts';
import { isEnded, type RestoreState } from '../contract/progress.ts';
import type { Decision } from '../contract/system-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { ControlDatabase } from '../control/control-database.ts';
import { appendLogs, type LogLine } from '../control/logs.ts';
import { readRestore } from '../control/restores.ts';
import { readActiveRun, readRun, type StoredRun, updateRun } from '../control/runs.ts';
import { ApiError, restoreNotFound, runNotFound } from './api-error.ts';
import { type Caller, visibleTenant } from './caller.ts';
import type { Reconciler } from './reconciler.ts';
import { runOfStored } from './run.ts';
import { type RunJson, toRunJson } from './run-json.ts';

/** What the API needs of {@link RestoreClient}. */
export type Restores = Pick<
  RestoreClient,
  'startRun' | 'describe' | 'progress' | 'outcome' | 'pause' | 'resume' | 'cancel'
>;

/** What following runs takes. */
export interface RunsDependencies {
  readonly control: ControlDatabase;
  readonly restores: Restores;
  readonly reconciler: Reconciler;
  /** Tells the workflow of a system. */
  readonly decide: (runId: string, decision: Decision) => Promise<void>;
}

/** What is done to a run that goes on. */
export type Verb = 'pause' | 'resume' | 'cancel';

/** What may be said along with it. */
export interface Message {
  readonly reason: string | null;
  /** Of a pause: rolls back what is being loaded. */
  readonly now: boolean;
}

/** Milliseconds that the record of an active run may take longer so that it is as Temporal says. */
const freshWithin = 2000;

/** The runs that there are or were, of the tenant of whoever asks. */
export class Runs {
  readonly #dependencies: RunsDependencies;

  constructor(dependencies: RunsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * A run as it is kept, compared with Temporal as far as that answers at once.
   *
   * @throws ApiError `RECORD_NOT_FOUND`
   */
  async record(id: string, caller: Caller): Promise<StoredRun> {
    const stored = await this.#find(id, caller);
    if (isEnded(stored.state)) return stored;
    const fresh = this.#dependencies.reconciler.refresh(stored).then(
      (reconciled) => reconciled.stored,
      // What was known last is an answer too; GET /api/runs/{runId} is refused.
      () => stored,
    );
    return Promise.race([fresh, sleep(freshWithin, stored, { ref: false })]);
  }

  /** A run in Thaw's own words, as its workflow tells. @throws ApiError `RECORD_NOT_FOUND` */
  async detail(id: string, caller: Caller): Promise<RunJson> {
    const { stored, run } = await this.#dependencies.reconciler.refresh(await this.#find(id, caller));
    if (stored.detail !== null) return stored.detail as RunJson;
    return { ...toRunJson(run ?? runOfStored(stored)), progress: stored.progress };
  }

  /**
   * Pauses, resumes or cancels a run.
   *
   * @returns its new state
   * @throws ApiError `CONFLICT` with the reason when it is refused, `RECORD_NOT_FOUND`
   */
  async tell(id: string, caller: Caller, verb: Verb, message: Message): Promise<RestoreState> {
    return this.#tell(await this.#find(id, caller), verb, message);
  }

  /** The same for the active run of a saved restore. @returns the run's id */
  async tellActive(restoreId: string, caller: Caller, verb: Verb, message: Message): Promise<string> {
    const stored = await this.#dependencies.control.use(async (client) => {
      const restore = await readRestore(client, restoreId, visibleTenant(caller));
      if (restore === null) throw restoreNotFound(restoreId);
      return readActiveRun(client, restoreId);
    });
    if (stored === null) throw notRunning();
    await this.#tell(stored, verb, message);
    return stored.id;
  }

  /**
   * Decides what becomes of a step of a system that failed and waits.
   *
   * @throws ApiError `CONFLICT` with the reason where nothing waits for it, `RECORD_NOT_FOUND`
   */
  async decide(id: string, caller: Caller, decision: Decision): Promise<void> {
    const { control, reconciler, decide } = this.#dependencies;
    const stored = await this.#find(id, caller);
    refuseEnded(await reconciler.settle(stored));
    if (stored.request.sourceType !== 'system') throw refused(id, 'The run is none of a system.');
    try {
      await decide(id, decision);
    } catch (error) {
      if (!(error instanceof ThawError && error.cause instanceof WorkflowUpdateFailedError)) throw error;
      throw refused(id, error.message);
    }
    const { step, action } = decision;
    await control.transaction((client) =>
      appendLogs(client, id, [
        { ...lineOf('resume', noMessage), message: `${step}: ${action}, decided by ${caller.subject}` },
      ]),
    );
  }

  async #find(id: string, caller: Caller): Promise<StoredRun> {
    const { control } = this.#dependencies;
    // No text with NUL in it is an id, nor anything else that PostgreSQL knows.
    if (id.includes('\0')) throw runNotFound(id);
    const stored = await control.use((client) => readRun(client, id, visibleTenant(caller)));
    if (stored === null) throw runNotFound(id);
    return stored;
  }

  async #tell(stored: StoredRun, verb: Verb, message: Message): Promise<RestoreState> {
    const { control, reconciler } = this.#dependencies;
    const { id } = stored;
    // Temporal takes a request to cancel what has ended for done, and knows nothing of what is not started yet.
    refuseEnded(await reconciler.settle(stored));
    const state = await this.#send(stored, verb, message);
    await control.transaction(async (client) => {
      if (await updateRun(client, id, { state })) await appendLogs(client, id, [lineOf(verb, message)]);
    });
    return state;
  }

  async #send(stored: StoredRun, verb: Verb, { reason, now }: Message): Promise<RestoreState> {
    const { restores, reconciler } = this.#dependencies;
    const { id } = stored;
    try {
      if (verb === 'pause') return await restores.pause(id, reason, now);
      if (verb === 'resume') return await restores.resume(id);
      await restores.cancel(id, reason);
      return 'cancelling';
    } catch (error) {
      const cause = error instanceof ThawError ? error.cause : error;
      if (cause instanceof WorkflowUpdateFailedError) {
        throw refused(id, cause.cause?.message ?? cause.message);
      }
      // It has ended just now.
      if (cause instanceof WorkflowNotFoundError) refuseEnded((await reconciler.refresh(stored)).stored);
      throw error;
    }
  }
}

const noMessage: Message = { reason: null, now: false };

const said: Readonly<Record<Verb, string>> = {
  pause: 'Pause asked for by user',
  resume: 'Restore resumed by user',
  // How it ended is said at its end.
  cancel: 'Cancel asked for by user',
};

function lineOf(verb: Verb, { reason }: Message): LogLine {
  return {
    key: `${verb}/${new Date().toISOString()}`,
    level: verb === 'cancel' ? 'warn' : 'info',
    phase: null,
    model: null,
    record: null,
    message: said[verb],
    detail: reason === null ? null : { reason },
  };
}

/** @throws ApiError `CONFLICT` */
function refuseEnded({ id, state }: StoredRun): void {
  if (isEnded(state)) throw refused(id, `The restore is ${state}.`);
}

function refused(id: string, reason: string): ApiError {
  return new ApiError('CONFLICT', reason, { hint: `See how it stands: GET /api/runs/${id}.` });
}

function notRunning(): ApiError {
  return new ApiError('RECORD_NOT_FOUND', 'No running restore found', {
    hint: 'GET /api/data/restore_runs lists runs, the latest first.',
  });
}
