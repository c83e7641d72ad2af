import type { Logger } from 'pino';
import { stableJson } from '../client/restore-id.ts';
import { isTemporalUnavailable } from '../client/temporal-error.ts';
import { isEnded } from '../contract/progress.ts';
import type { RunRequest } from '../contract/run-request.ts';
import type { ControlClient, ControlDatabase } from '../control/control-database.ts';
import { type RestoreRow, readRestore } from '../control/restores.ts';
import { insertRun, readActiveRun, readActiveUndo, readRun, type StoredRun } from '../control/runs.ts';
import { ApiError, restoreNotFound } from './api-error.ts';
import { type Caller, visibleTenant } from './caller.ts';
import { keyTaken } from './idempotency.ts';
import type { Reconciler } from './reconciler.ts';
import type { RunOwner, RunPlace, SourceSettings } from './sources/source.ts';
import type { Sources } from './sources/sources.ts';

/** What starting runs takes. */
export interface RunStarterDependencies {
  readonly control: ControlDatabase;
  readonly sources: Sources;
  readonly reconciler: Reconciler;
  readonly logger: Logger;
}

/** Options that are otherwise in one run than they were saved. */
export type RunChanges = Readonly<Record<string, unknown>>;

/** A run that was asked for. */
export interface StartedRun {
  readonly runId: string;
  /** Whether the same request had started it before, under the same Idempotency-Key. */
  readonly known: boolean;
}

/**
 * Starts runs: first written as `pending`, then started in Temporal, so that none is lost. The id of a run that
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
   * @param changes options that are otherwise in this run only
   * @throws ApiError `RECORD_NOT_FOUND`; `CONFLICT` when it is disabled or runs already
   * @throws ThawError `InputInvalid` when its settings are not good any more
   */
  async startSaved(restoreId: string, owner: RunOwner, changes: RunChanges): Promise<StartedRun> {
    const { runId, caller } = owner;
    const request = await this.#dependencies.control.transaction(async (client) => {
      const restore = await readRestore(client, restoreId, visibleTenant(caller), 'for update');
      if (restore === null) throw restoreNotFound(restoreId);
      const earlier = await readRun(client, runId, restore.tenant);
      if (earlier !== null) {
        const same = earlier.restoreId === restore.id && sameChanges(earlier, changes);
        if (same) return null;
        throw keyTaken(runId);
      }
      return this.#insertSaved(client, restore, changes, owner);
    });
    if (request === null) return { runId, known: true };
    await this.#begin(runId, request);
    return { runId, known: false };
  }

  /** Runs a restore that is not saved. @throws ApiError `CONFLICT` when the key stands for another request */
  async startOnce(settings: SourceSettings, owner: RunOwner): Promise<StartedRun> {
    const { runId, caller } = owner;
    const { control, sources } = this.#dependencies;
    const { tenant, namespace } = caller;
    const started = await control.transaction(async (client) => {
      const place = { tenant, namespace, isPlan: false, ask: asking(client) };
      const request = await sources.of(settings.source_type).request(settings, owner, place);
      const run = { ...runOf(settings, request, owner, caller.tenant), restoreId: null, restoreName: null };
      if (await insertRun(client, run)) return request;
      const earlier = await readRun(client, runId, caller.tenant);
      const same = earlier?.restoreId === null && stableJson(earlier.request) === stableJson(request);
      if (!same) throw keyTaken(runId);
      return null;
    });
    if (started !== null) await this.#begin(runId, started);
    return { runId, known: started === null };
  }

  /**
   * Takes back what a run did, by another run.
   *
   * @param undone as it stands
   * @param input the body of the request, which its source checks
   * @throws ApiError `CONFLICT` with the reason when it cannot be taken back, now or ever
   */
  async startUndo(undone: StoredRun, owner: RunOwner, input: unknown): Promise<StartedRun> {
    const { runId, caller } = owner;
    const { control, sources } = this.#dependencies;
    const isKnown = (known: StoredRun | null) => {
      if (known === null) return false;
      const { undoes, input: before } = known.configSnapshot;
      if (undoes === undone.id && stableJson(before) === stableJson(input)) return true;
      throw keyTaken(runId);
    };
    const find = (client: ControlClient) => readRun(client, runId, undone.tenant);
    if (isKnown(await control.use(find))) return { runId, known: true };
    if (!isEnded(undone.state)) throw stillRuns(undone);
    const source = sources.ofRequest(undone.request);
    if (source.undo === undefined) throw notUndone(undone);
    const request = await source.undo(undone.request, owner, input);
    const configSnapshot = { source_type: request.sourceType, undoes: undone.id, input };
    const isNew = await control.transaction(async (client) => {
      const active = await readActiveUndo(client, undone.id);
      if (isKnown(await find(client))) return false;
      if (active !== null) throw undoneAlready(active.id);
      const saved = { restoreId: null, restoreName: null, sourceFilename: null };
      const run = { id: runId, tenant: undone.tenant, createdBy: caller.subject, configSnapshot, request };
      if (!(await insertRun(client, { ...run, ...saved }))) throw keyTaken(runId);
      return true;
    });
    if (!isNew) return { runId, known: true };
    await this.#begin(runId, request);
    return { runId, known: false };
  }

  /** What a run would be that is not started. */
  async plan(settings: SourceSettings, owner: RunOwner): Promise<RunRequest> {
    const { control, sources } = this.#dependencies;
    const { tenant, namespace } = owner.caller;
    const ask: RunPlace['ask'] = (question) => control.use(question);
    return sources.of(settings.source_type).request(settings, owner, {
      ...{ tenant, namespace, ask },
      isPlan: true,
    });
  }

  /** The same of a saved restore. @throws ApiError `RECORD_NOT_FOUND` */
  async planSaved(restoreId: string, owner: RunOwner): Promise<RunRequest> {
    const { control } = this.#dependencies;
    const tenant = visibleTenant(owner.caller);
    const restore = await control.use((client) => readRestore(client, restoreId, tenant));
    if (restore === null) throw restoreNotFound(restoreId);
    return this.plan(restore, owner);
  }

  async #insertSaved(
    client: ControlClient,
    restore: RestoreRow,
    changes: RunChanges,
    owner: RunOwner,
  ): Promise<RunRequest> {
    if (!restore.enabled) throw disabled(restore);
    const { caller, runId } = owner;
    const source = this.#dependencies.sources.of(restore.source_type);
    const settings = source.settings({ ...restore, options: { ...restore.options, ...changes } }, caller);
    const place = {
      ...{ ask: asking(client), tenant: restore.tenant, isPlan: false },
      namespace: namespaceOf(restore, caller),
    };
    const request = await source.request(settings, owner, place);
    const run = runOf(settings, request, owner, restore.tenant);
    const { id: restoreId, name: restoreName } = restore;
    const configSnapshot = { ...run.configSnapshot, changes };
    const written = await insertRun(client, { ...run, restoreId, restoreName, configSnapshot });
    if (!written) throw runsAlready((await readActiveRun(client, restoreId))?.id ?? runId);
    return request;
  }

  /** A start that Temporal could not take is made up for by the reconciler. */
  async #begin(id: string, request: RunRequest): Promise<void> {
    const { reconciler, logger } = this.#dependencies;
    try {
      await reconciler.start({ id, request });
    } catch (error) {
      if (!isTemporalUnavailable(error)) throw error;
      logger.warn({ err: error, runId: id }, 'a run is pending until Temporal can be reached');
    }
  }
}

function runOf(settings: SourceSettings, request: RunRequest, { runId, caller }: RunOwner, tenant: string) {
  const { source_type, source_ref, conflict_strategy, include, models, create_models, options } = settings;
  return {
    id: runId,
    tenant,
    sourceFilename: filenameOf(request),
    configSnapshot: { source_type, source_ref, conflict_strategy, include, models, create_models, options },
    request,
    createdBy: caller.subject,
  };
}

/** The same key goes with the same request only. */
function sameChanges({ configSnapshot }: StoredRun, changes: RunChanges): boolean {
  return stableJson(configSnapshot.changes) === stableJson(changes);
}

/** Within the transaction that is under way. */
function asking(client: ControlClient): RunPlace['ask'] {
  return (question) => question(client);
}

function filenameOf(request: RunRequest): string | null {
  switch (request.sourceType) {
    case 'archives':
    case 'drill':
    case 'system':
    case 'snapshot':
    case 'undo':
      return null;
    case 'dump':
      return request.dump.choice.kind === 'key' ? request.dump.choice.key : null;
    default:
      return request.bundle.source.kind === 'stored' ? request.bundle.source.filename : null;
  }
}

/** Who runs what another tenant has saved, as root may, does so in the schema of that tenant. */
function namespaceOf(restore: RestoreRow, caller: Caller): string {
  return caller.tenant === restore.tenant ? caller.namespace : restore.namespace;
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

function stillRuns({ id, state }: StoredRun): ApiError {
  return new ApiError('CONFLICT', `The run is ${state}: only one that has ended is taken back.`, {
    hint: `Wait for its end, or cancel it: POST /api/runs/${id}/cancel.`,
  });
}

function notUndone({ sourceType }: StoredRun): ApiError {
  return new ApiError('CONFLICT', `A run of ${sourceType} cannot be taken back.`, {
    hint: 'Restores of archives and imports of bundles with "undoable": true can, and restores of snapshots.',
  });
}

function undoneAlready(runId: string): ApiError {
  return new ApiError('CONFLICT', `The run is being taken back already: run ${runId}.`, {
    hint: `See how it stands: GET /api/runs/${runId}.`,
    data: { run_id: runId },
  });
}
