import type { Logger } from 'pino';
import type { ExtractClient } from '../client/extract-client.ts';
import { isTemporalUnavailable } from '../client/temporal-error.ts';
import { fingerprint } from '../config/fingerprint.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { ExtractRequest } from '../contract/extract-request.ts';
import type { BundlePart } from '../contract/run-request.ts';
import { isActiveStatus } from '../contract/run-status.ts';
import type { ControlClient, ControlDatabase } from '../control/control-database.ts';
import {
  type ExtractRunRow,
  insertExtractRun,
  listUntouchedExtractRuns,
  readActiveExtractRun,
  readExtractRun,
  touchExtractRun,
  updateExtractRun,
} from '../control/extract-runs.ts';
import { type ExtractRow, readExtract } from '../control/extracts.ts';
import { demandAccess } from './access.ts';
import { ApiError } from './api-error.ts';
import type { BundleSettings } from './bundle-settings.ts';
import { type Caller, visibleTenant } from './caller.ts';
import { keyTaken } from './idempotency.ts';

/** What running extracts takes. */
export interface ExtractRunsDependencies {
  readonly config: ThawConfig;
  readonly control: ControlDatabase;
  readonly client: Pick<ExtractClient, 'start' | 'standing' | 'cancel'>;
  readonly settings: BundleSettings;
  readonly logger: Logger;
}

/** Seconds after which a run that nobody has written is compared with Temporal. */
const untouched = 30;

/** The runs of extracts: first written as `pending`, then started in Temporal, so that none is lost. */
export class ExtractRuns {
  readonly #dependencies: ExtractRunsDependencies;

  constructor(dependencies: ExtractRunsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Runs a saved extract.
   *
   * @returns whether it was started before, under the same Idempotency-Key
   * @throws ApiError `RECORD_NOT_FOUND`; `CONFLICT` when it is disabled or runs already; `FORBIDDEN` for the schema of
   *   another tenant
   */
  async start(extractId: string, runId: string, caller: Caller): Promise<boolean> {
    const { control, client, logger } = this.#dependencies;
    const request = await control.transaction(async (connection) => {
      const extract = await readExtract(connection, extractId, visibleTenant(caller), 'for update');
      if (extract === null) throw extractNotFound(extractId);
      const earlier = await readExtractRun(connection, runId, null);
      if (earlier !== null) {
        if (earlier.extract_id === extract.id) return null;
        throw keyTaken(runId);
      }
      if (!extract.enabled) throw disabled(extract);
      const wanted = this.#request(extract, runId, caller);
      const written = await insertExtractRun(connection, {
        id: runId,
        tenant: extract.tenant,
        extract_id: extract.id,
        extract_name: extract.name,
        filename: filenameOf(extract.name, runId),
        request: wanted,
        created_by: caller.subject,
      });
      if (!written) throw runsAlready((await readActiveExtractRun(connection, extract.id))?.id ?? runId);
      return wanted;
    });
    if (request === null) return true;
    try {
      await client.start(request);
      await control.use((connection) => touchExtractRun(connection, runId));
    } catch (error) {
      if (!isTemporalUnavailable(error)) throw error;
      logger.warn({ err: error, runId }, 'an extract is pending until Temporal can be reached');
    }
    return false;
  }

  /** A run as it stands. @throws ApiError `RECORD_NOT_FOUND` */
  async find(runId: string, caller: Caller): Promise<ExtractRunRow> {
    const { control } = this.#dependencies;
    const row = await control.use((client) => readExtractRun(client, runId, visibleTenant(caller)));
    if (row === null) throw extractRunNotFound(runId);
    return row;
  }

  /** Asks for the active run of an extract to be cancelled. @returns its id */
  async cancel(extractId: string, caller: Caller): Promise<string> {
    const { control, client } = this.#dependencies;
    const run = await control.use(async (connection) => {
      const extract = await readExtract(connection, extractId, visibleTenant(caller));
      if (extract === null) throw extractNotFound(extractId);
      return readActiveExtractRun(connection, extract.id);
    });
    if (run === null) throw new ApiError('RECORD_NOT_FOUND', 'No running extract found');
    if ((await client.standing(run.id)) === 'unknown') await client.start(run.request);
    await client.cancel(run.id);
    return run.id;
  }

  /** Makes runs agree with Temporal whose start was lost, or that were terminated there. @returns how many */
  async reconcile(): Promise<number> {
    const { control, client } = this.#dependencies;
    const runs = await control.use((connection) => listUntouchedExtractRuns(connection, untouched, 100));
    for (const { id, request } of runs) {
      const standing = await client.standing(id);
      if (standing === 'unknown') await client.start(request);
      await control.use((connection) =>
        // One that has ended by itself was written before, and is not changed any more.
        standing === 'ended'
          ? updateExtractRun(connection, id, { status: 'failed', error: terminated })
          : touchExtractRun(connection, id),
      );
    }
    return runs.length;
  }

  #request({ id, include, models, options }: ExtractRow, runId: string, caller: Caller): ExtractRequest {
    const { config, settings } = this.#dependencies;
    const namespace = String(options.namespace);
    if (namespace !== caller.namespace) demandAccess(caller, 'root', `The schema ${namespace}`);
    const database = settings.databaseOf(options.database);
    return {
      runId,
      extractId: id,
      fingerprint: fingerprint(config, database),
      database,
      namespace,
      include: include as BundlePart[],
      models,
      keep: settings.extractKeep,
    };
  }
}

/** `My-Dev-Data-2025-01-19-k3x9ab.zip` */
function filenameOf(name: string, runId: string): string {
  const words = name.replaceAll(/[^\p{L}\p{N}._-]+/gu, '-').replaceAll(/^-+|-+$/g, '');
  return `${words || 'extract'}-${new Date().toISOString().slice(0, 10)}-${runId.slice(-6)}.zip`;
}

const terminated = {
  code: 'InputInvalid',
  message: 'The extract was terminated in Temporal.',
  hint: 'Run it again.',
} as const;

/** There is no saved extract of that id, or none that the caller may see. */
export function extractNotFound(id: string): ApiError {
  return new ApiError('RECORD_NOT_FOUND', `No extract ${id.slice(0, 200)} is saved.`, {
    hint: 'GET /api/data/extracts lists those that are.',
  });
}

/** Where the bundle of a run lies. @throws ApiError `CONFLICT` before it is there, `GONE` when its time is over */
export function extractedKey(run: ExtractRunRow): string {
  const { key, status, expires_at: expires, removed_at: removed } = run;
  if (key === null) {
    throw new ApiError('CONFLICT', `The run is ${status}: there is no bundle.`, {
      hint: isActiveStatus(status) ? 'Wait until it is completed.' : 'Run the extract again.',
    });
  }
  if (removed === null && (expires === null || expires.getTime() > Date.now())) return key;
  throw new ApiError('GONE', 'The bundle was removed, as its time is over.', {
    hint: 'Run the extract again.',
  });
}

/**
 * The bundle that a run of an extract has written.
 *
 * @param tenant whose it must be
 * @throws ApiError `RECORD_NOT_FOUND`, and as {@link extractedKey}
 */
export async function findExtracted(client: ControlClient, runId: string, tenant: string) {
  const run = await readExtractRun(client, runId, tenant);
  if (run === null) throw extractRunNotFound(runId);
  return { key: extractedKey(run), sha256: run.sha256 ?? '', filename: run.filename ?? `${run.id}.zip` };
}

function extractRunNotFound(id: string): ApiError {
  return new ApiError('RECORD_NOT_FOUND', `No run ${id.slice(0, 200)} of an extract is known.`, {
    hint: 'GET /api/data/extract_runs lists those that are.',
  });
}

function disabled({ id }: ExtractRow): ApiError {
  return new ApiError('CONFLICT', 'The extract is disabled.', {
    hint: `Enable it: PUT /api/data/extracts/${id} with {"enabled": true}.`,
  });
}

function runsAlready(runId: string): ApiError {
  return new ApiError('CONFLICT', `The extract is already running: run ${runId}.`, {
    hint: 'Wait for its end, or cancel it.',
    data: { run_id: runId },
  });
}
