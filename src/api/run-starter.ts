import type { Logger } from 'pino';
import { stableJson } from '../client/restore-id.ts';
import { isTemporalUnavailable } from '../client/temporal-error.ts';
import type { RunRequest } from '../contract/run-request.ts';
import type { ControlClient, ControlDatabase } from '../control/control-database.ts';
import { type RestoreRow, readRestore } from '../control/restores.ts';
import { insertRun, readActiveRun, readRun } from '../control/runs.ts';
import { ApiError, restoreNotFound } from './api-error.ts';
import { visibleTenant } from './caller.ts';
import { keyTaken } from './idempotency.ts';
import type { Reconciler } from './reconciler.ts';
import type { RunOwner, SourceSettings } from './sources/source.ts';
import type { Sources } from './sources/sources.ts';

/** What starting runs takes. */
export interface RunStarterDependencies {
  readonly control: ControlDatabase;
  readonly sources: Sources;
  readonly reconciler: Reconciler;
  readonly logger: Logger;
}

/** A run that was asked for. */
export interface StartedRun {
  readonly runId: string;
  /** Whether the same request had started it before, under the same Idempotency-Key. */
  readonly known: boolean;
}

/**
 * Starts runs: first written as `queued`, then started in Temporal, so that none is lost. The id of a run that
 * was asked for with an Idempotency-Key follows from the key, so that its record is what remembers the key.
 */
export class RunStarter {
  readonly #dependencies: RunStarterDependencies;

  constructor(dependencies: RunStarterDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Runs a saved restore.
   *
   * @throws ApiError `RECORD_NOT_FOUND`; `CONFLICT` when it is disabled or runs already
   * @throws ThawError `InputInvalid` when its settings are not good any more
   */
  async startSaved(restoreId: string, owner: RunOwner): Promise<StartedRun> {
    const { runId, caller } = owner;
    const request = await this.#dependencies.control.transaction(async (client) => {
      const restore = await readRestore(client, restoreId, visibleTenant(caller), 'for update');
      if (restore === null) throw restoreNotFound(restoreId);
      const earlier = await readRun(client, runId, restore.tenant);
      if (earlier !== null) {
        if (earlier.restoreId === restore.id) return null;
        throw keyTaken(runId);
      }
      return this.#insertSaved(client, restore, owner);
    });
    if (request === null) return { runId, known: true };
    await this.#begin(runId, request);
    return { runId, known: false };
  }

  /** Runs a restore that is not saved. @throws ApiError `CONFLICT` when the key stands for another request */
  async startOnce(settings: SourceSettings, owner: RunOwner): Promise<StartedRun> {
    const { runId, caller } = owner;
    const request = this.#dependencies.sources.of(settings.source_type).request(settings, owner);
    const known = await this.#dependencies.control.transaction(async (client) => {
      const run = { ...runOf(settings, request, owner, caller.tenant), restoreId: null, restoreName: null };
      if (await insertRun(client, run)) return false;
      const earlier = await readRun(client, runId, caller.tenant);
      const same = earlier?.restoreId === null && stableJson(earlier.request) === stableJson(request);
      if (!same) throw keyTaken(runId);
      return true;
    });
    if (!known) await this.#begin(runId, request);
    return { runId, known };
  }

  async #insertSaved(client: ControlClient, restore: RestoreRow, owner: RunOwner): Promise<RunRequest> {
    if (!restore.enabled) throw disabled(restore);
    const request = this.#dependencies.sources.of(restore.source_type).request(restore, owner);
    const run = runOf(restore, request, owner, restore.tenant);
    const written = await insertRun(client, { ...run, restoreId: restore.id, restoreName: restore.name });
    if (!written) throw runsAlready((await readActiveRun(client, restore.id))?.id ?? owner.runId);
    return request;
  }

  /** A start that Temporal could not take is made up for by the reconciler. */
  async #begin(id: string, request: RunRequest): Promise<void> {
    const { reconciler, logger } = this.#dependencies;
    try {
      await reconciler.start({ id, request });
    } catch (error) {
      if (!isTemporalUnavailable(error)) throw error;
      logger.warn({ err: error, runId: id }, 'a run is queued until Temporal can be reached');
    }
  }
}

function runOf(settings: SourceSettings, request: RunRequest, { runId, caller }: RunOwner, tenant: string) {
  const { source_type, source_ref, conflict_strategy, include, models, create_models, options } = settings;
  return {
    id: runId,
    tenant,
    sourceFilename: null,
    configSnapshot: { source_type, source_ref, conflict_strategy, include, models, create_models, options },
    request,
    createdBy: caller.subject,
  };
}

function disabled({ id }: RestoreRow): ApiError {
  return new ApiError('CONFLICT', 'The restore is disabled.', {
    hint: `Enable it: PUT /api/data/restores/${id} with {"enabled": true}.`,
  });
}

function runsAlready(runId: string): ApiError {
  return new ApiError('CONFLICT', `The restore is already running: run ${runId}.`, {
    hint: `Wait for its end, or cancel it: POST /api/runs/${runId}/cancel.`,
    data: { run_id: runId },
  });
}
