import { findRecordedDrill } from '../client/recorded-drills.ts';
import { findRecordedDump } from '../client/recorded-dump.ts';
import { findRecordedRestore } from '../client/recorded-restore.ts';
import { findRecordedSnapshot } from '../client/recorded-snapshot.ts';
import { findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { DrillReport } from '../contract/drill.ts';
import type { RestoreRequest } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { UndoExtent } from '../contract/undo-request.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import type { StoredDumpRestore } from '../postgres/dump-records.ts';
import { ensureSchema } from '../postgres/schema.ts';
import type { StoredSnapshotRestore } from '../postgres/snapshot-restores.ts';
import { extentOf, standingOf, type UndoStanding } from '../undo/kept-changes.ts';
import { undoneRestore } from '../undo/undone-restore.ts';
import { ApiError } from './api-error.ts';
import type { RecordedRestore } from './sources/archives-run.ts';

/**
 * Looks for a restore in every configured database, for which Temporal is not needed; null when none has it.
 *
 * @throws ApiError `SERVICE_UNAVAILABLE` when it was not found and a database could not be asked
 */
export async function findRecorded(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  restoreId: string,
): Promise<RecordedRestore | null> {
  const { restores, unanswered } = await findRecordedRestore(config, env, restoreId, null);
  const [stored] = restores;
  if (stored !== undefined) {
    return {
      database: stored.request.database,
      state: stored.state,
      outcome: stored.outcome,
      createdAt: new Date(stored.createdAt),
      endedAt: stored.finishedAt === null ? null : new Date(stored.finishedAt),
    };
  }
  const [failed] = unanswered;
  // It may be in the very database that could not be asked.
  if (failed !== undefined) throw notAsked(failed.database, failed.error);
  return null;
}

/** Asks the target database what there is to undo of a restore. @throws ThawError `InputInvalid` where it has kept nothing */
export async function undoExtentOf(
  { database, restoreId }: Pick<RestoreRequest, 'database' | 'restoreId'>,
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
): Promise<readonly UndoExtent[]> {
  const session = { applicationName: `thaw/${restoreId}/extent` };
  return withDatabase(findDatabase(config, database), env, session, async (client) =>
    extentOf(client, await undoneRestore(client, restoreId)),
  );
}

/** Asks the target database how an import stands that can be undone. @throws ThawError `InputInvalid` where it is not known */
export async function undoStandingOf(
  { database, restoreId }: Pick<RestoreRequest, 'database' | 'restoreId'>,
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
): Promise<UndoStanding> {
  const session = { applicationName: `thaw/${restoreId}/extent` };
  return withDatabase(findDatabase(config, database), env, session, async (client) => {
    await ensureSchema(client);
    return standingOf(client, await undoneRestore(client, restoreId));
  });
}

/**
 * Looks for a restore of a dump, which the servers of services remember.
 *
 * @throws ApiError `SERVICE_UNAVAILABLE` when it was not found and a server could not be asked
 */
export async function findDump(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  restoreId: string,
): Promise<StoredDumpRestore | null> {
  const { restores, unanswered } = await findRecordedDump(config, env, restoreId, null);
  const [failed] = unanswered;
  if (restores[0] === undefined && failed !== undefined) throw notAsked(failed.database, failed.error);
  return restores[0] ?? null;
}

/**
 * Looks for a drill in the maintenance databases of services, and in those of archives.
 *
 * @throws ApiError `SERVICE_UNAVAILABLE` when it was not found and a database could not be asked
 */
export async function findDrill(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  drillId: string,
): Promise<DrillReport | null> {
  const { drills, unanswered } = await findRecordedDrill(config, env, drillId);
  const [failed] = unanswered;
  if (drills[0] === undefined && failed !== undefined) throw notAsked(failed.database, failed.error);
  return drills[0]?.report ?? null;
}

/**
 * Looks for a restore of a snapshot in every configured database.
 *
 * @throws ApiError `SERVICE_UNAVAILABLE` when it was not found and a database could not be asked
 */
export async function findSnapshotRestore(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  restoreId: string,
): Promise<StoredSnapshotRestore | null> {
  const { restores, unanswered } = await findRecordedSnapshot(config, env, restoreId, null);
  const [failed] = unanswered;
  if (restores[0] === undefined && failed !== undefined) throw notAsked(failed.database, failed.error);
  return restores[0] ?? null;
}

/** Whatever the reason (not there, no password, no right): the one who asks can do nothing about it. */
function notAsked(database: string, cause: unknown): ApiError {
  const known = cause instanceof ThawError;
  return new ApiError(
    'SERVICE_UNAVAILABLE',
    `Temporal does not know the run (any more), and the database ${database} could not be asked.`,
    {
      hint: known ? cause.hint : 'The log of the API tells why.',
      data: known ? { code: cause.code } : {},
      cause,
    },
  );
}
