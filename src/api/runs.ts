import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import type { RestoreClient, RestoreDescription } from '../client/restore-client.ts';
import { isTemporalUnavailable } from '../client/temporal-error.ts';
import type { RestoreOutcome, TableError } from '../contract/outcome.ts';
import type { RestoreState } from '../contract/progress.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { ApiError, runNotFound } from './api-error.ts';
import { bareRun, type Run, runOfOutcome, runOfProgress } from './run.ts';

/** What the API needs of {@link RestoreClient}. */
export type Restores = Pick<
  RestoreClient,
  'start' | 'startOnce' | 'describe' | 'progress' | 'outcome' | 'pause' | 'resume' | 'cancel'
>;

/** A restore as the target database has it, which remembers longer than Temporal. */
export interface RecordedRestore {
  readonly database: string;
  readonly state: RestoreState;
  readonly outcome: RestoreOutcome | null;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

/** Looks a restore up in the target databases; null when none has it. */
export type FindRecorded = (restoreId: string) => Promise<RecordedRestore | null>;

/** What ids look like; others are not looked for. */
const idPattern = /^[a-z0-9-]{1,40}$/;

/** The restores that there are or were: in Temporal, and after its retention in the target databases. */
export class Runs {
  readonly #restores: Restores;
  readonly #findRecorded: FindRecorded;

  constructor(restores: Restores, findRecorded: FindRecorded) {
    this.#restores = restores;
    this.#findRecorded = findRecorded;
  }

  /**
   * A run as it stands now.
   *
   * @throws ApiError `RECORD_NOT_FOUND`
   */
  async find(id: string): Promise<Run> {
    if (!idPattern.test(id)) throw runNotFound(id);
    const description = await this.#restores.describe(id);
    if (description === null) return this.#recorded(id);
    switch (description.standing) {
      case 'queued':
        return bareRun(id, 'queued', description, null);
      case 'running':
        return runOfProgress(await this.#restores.progress(id), description);
      case 'completed':
      case 'failed':
        return runOfOutcome(await this.#restores.outcome(id), description);
      case 'cancelled':
        return this.#cancelled(id, description);
      case 'broken':
        return bareRun(id, 'failed', description, terminated);
    }
  }

  /** Pauses a run. @returns its new state */
  async pause(id: string, reason: string | null, now: boolean): Promise<RestoreState> {
    return this.#tell(id, () => this.#restores.pause(id, reason, now));
  }

  /** Goes on with a paused run. @returns its new state */
  async resume(id: string): Promise<RestoreState> {
    return this.#tell(id, () => this.#restores.resume(id));
  }

  /** Asks for a run to be cancelled. */
  async cancel(id: string, reason: string | null): Promise<void> {
    await this.#tell(id, async () => {
      // Temporal takes a request to cancel what has ended for done.
      const description = await this.#restores.describe(id);
      if (description === null || description.endedAt !== null) throw await this.#ended(id);
      await this.#restores.cancel(id, reason);
    });
  }

  /** @throws ApiError `CONFLICT` with the reason when it is refused, `RECORD_NOT_FOUND` */
  async #tell<T>(id: string, message: () => Promise<T>): Promise<T> {
    if (!idPattern.test(id)) throw runNotFound(id);
    try {
      return await message();
    } catch (error) {
      const cause = error instanceof ThawError ? error.cause : error;
      if (cause instanceof WorkflowUpdateFailedError)
        throw refused(id, cause.cause?.message ?? cause.message);
      if (!(cause instanceof WorkflowNotFoundError)) throw error;
      // Temporal says the same of a run that has ended and of one that never was.
      throw await this.#ended(id);
    }
  }

  /** The refusal of a run that has ended. @throws ApiError `RECORD_NOT_FOUND` when there never was one */
  async #ended(id: string): Promise<ApiError> {
    const { state } = await this.find(id);
    return refused(id, `The restore is ${state}.`);
  }

  /** Temporal keeps no result of a cancelled run: its workflow still answers, where a worker is there. */
  async #cancelled(id: string, description: RestoreDescription): Promise<Run> {
    try {
      return runOfProgress(await this.#restores.progress(id), description);
    } catch (error) {
      if (!isTemporalUnavailable(error)) throw error;
      return this.#recorded(id);
    }
  }

  async #recorded(id: string): Promise<Run> {
    const recorded = await this.#findRecorded(id);
    if (recorded === null) throw runNotFound(id);
    const { database, state, outcome } = recorded;
    if (outcome === null) return { ...bareRun(id, state, recorded, null), database };
    return runOfOutcome(outcome, recorded);
  }
}

const terminated: TableError = {
  code: 'InputInvalid',
  message: 'The restore was terminated in Temporal.',
  hint: 'What was committed stands, and the ledger has it: start the restore again to go on.',
};

function refused(id: string, reason: string): ApiError {
  return new ApiError('CONFLICT', reason, { hint: `See how it stands: GET /api/runs/${id}.` });
}
