import type pg from 'pg';
import { newRestoreId } from '../client/restore-id.ts';
import { findDatabase } from '../config/database-config.ts';
import { fingerprint } from '../config/fingerprint.ts';
import type { TableError } from '../contract/outcome.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type {
  TakenObjects,
  UndoEnd,
  UndoExtent,
  UndoFailure,
  UndoOutcome,
  UndoRequest,
} from '../contract/undo-request.ts';
import { openControlDatabase } from '../control/control-database.ts';
import { forgetInstalled } from '../control/installed-bundles.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { readTakenObjects } from '../postgres/taken-objects.ts';
import { readLastUndo, type StoredUndo } from '../postgres/undo-records.ts';
import { formatCount } from '../restore/format.ts';
import { extentOf, isUndone, reportUndo } from '../undo/kept-changes.ts';
import { beginUndo, endUndo } from '../undo/recorded-undo.ts';
import { undoTables } from '../undo/undo-restore.ts';
import type { UndoneRestore } from '../undo/undone-restore.ts';
import { confirmByName } from './confirm.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { findUndone, type RestoreSearch } from './find-restore.ts';
import type { TemporalFlags } from './flags.ts';
import { followRestore } from './follow.ts';
import { Interrupt } from './interrupt.ts';
import { progressView } from './progress-view.ts';
import { clusterPlace, clusterTaskQueue, openCluster, type TemporalPlace, undosOf } from './temporal.ts';
import { exitCodeOf, undoneLines } from './undo-lines.ts';
import { whoAsks } from './who-asks.ts';

/** One `thaw undo`. */
export interface UndoJob extends RestoreSearch {
  readonly flags: TemporalFlags & { readonly taskQueue?: string };
  readonly disableTriggers: boolean;
  readonly reason: string | null;
  /** Asks nothing. */
  readonly yes: boolean;
  readonly json: boolean;
}

/** Keys that are told of rows left for one reason: for people, and as JSON. */
const shownKeys = { text: 20, json: 10_000 };

/**
 * Takes a restore back, by the workers of the cluster that is named or else in this process, and prints what
 * came of it.
 *
 * @throws ThawError where it could not begin
 */
export async function runUndo(job: UndoJob): Promise<ExitCode> {
  const { flags, env, printer, restoreId, yes, json } = job;
  const restore = await findUndone(job);
  const interrupt = new Interrupt();
  try {
    const inDatabase = withClient(job, restore);
    const extents = await inDatabase((client) => extentOf(client, restore));
    const made = await inDatabase((client) => readTakenObjects(client, restoreId, 0));
    const isDone = isUndone(extents) && (made?.left ?? 0) === 0;
    if (!yes && !isDone && !(await confirmByName(restoreId, [...extentLines(extents), ...madeLines(made)]))) {
      printer.aside('Not confirmed: nothing was done.');
      return exitCodes.failed;
    }
    const last = await inDatabase((client) => readLastUndo(client, restoreId));
    const place = clusterPlace(flags, env);
    let failures: readonly UndoFailure[] = [];
    if (isDone) printer.aside(`The restore is undone already${last === null ? '' : lastText(last)}.`);
    else {
      const outcome =
        place === null
          ? await undoHere(job, restore, inDatabase, interrupt)
          : await undoInCluster(job, restore, place, last, interrupt);
      if (outcome === null) return exitCodes.interrupted;
      failures = failuresOf(outcome);
    }
    const keys = json ? shownKeys.json : shownKeys.text;
    const tables = await inDatabase((client) => reportUndo(client, restoreId, failures, keys));
    const { database } = restore;
    const taken = await inDatabase((client) => readTakenObjects(client, restoreId, keys));
    if (json) printer.line(JSON.stringify({ restoreId, database, tables, made: taken }));
    else for (const line of undoneLines(tables, taken)) printer.line(line);
    return exitCodeOf(tables, taken);
  } finally {
    interrupt.release();
  }
}

type InDatabase = <Result>(work: (client: pg.Client) => Promise<Result>) => Promise<Result>;

/** Undoes it in this process. @returns null where it was interrupted */
async function undoHere(
  job: UndoJob,
  restore: UndoneRestore,
  inDatabase: InDatabase,
  { signal }: Interrupt,
): Promise<UndoOutcome | null> {
  const request = requestOf(job, restore);
  const { disableTriggers, restoreId: undoId } = request;
  const startedAt = new Date().toISOString();
  const end = (how: Partial<UndoEnd>) =>
    inDatabase((client) =>
      endUndo(client, { ...{ request, startedAt, failures: [], isCancelled: false, error: null }, ...how }),
    );
  await inDatabase((client) => beginUndo(client, request));
  if (restore.isBundle) await forgetBundle(job);
  try {
    const failures = await inDatabase((client) =>
      undoTables(client, { undoId, restore, disableTriggers, signal }),
    );
    return await end({ failures });
  } catch (error) {
    // How it has ended is of less weight than why.
    if (!signal.aborted) {
      await end({ error: tableErrorOf(error, undoId) }).catch(() => {});
      throw error;
    }
    await end({ isCancelled: true });
    job.printer.aside('Interrupted: what was undone stays so. Give the same command again to go on.');
    return null;
  }
}

/** Its run is known to the API alone, and so is what it installed. */
async function forgetBundle({ env, printer, restoreId }: UndoJob): Promise<void> {
  if (!env.THAW_DATABASE_URL) {
    printer.aside('THAW_DATABASE_URL is not set: the bundle still counts as installed.');
    return;
  }
  const control = openControlDatabase(env);
  await control.use((client) => forgetInstalled(client, restoreId)).finally(() => control.close());
}

/** The workers of the cluster undo it; this command follows. @returns null where it does so no more */
async function undoInCluster(
  job: UndoJob,
  restore: UndoneRestore,
  place: TemporalPlace,
  last: StoredUndo | null,
  interrupt: Interrupt,
): Promise<UndoOutcome | null> {
  const { env, flags, printer, json } = job;
  const temporal = await openCluster(place, env);
  try {
    const undos = undosOf(temporal, clusterTaskQueue(flags.taskQueue, env));
    const request = requestOf(job, restore);
    const isUnderWay = last?.finishedAt === null && (await undos.standing(last.undoId)) === 'running';
    const undoId = isUnderWay ? last.undoId : request.restoreId;
    if (!isUnderWay) await undos.start(request);
    printer.aside(`Undo ${undoId}`);
    const outcome = await followRestore(undos, undoId, {
      view: progressView(printer, json),
      silence: 'Nobody answers: is a worker running?',
      signal: interrupt.signal,
    });
    if (outcome === null)
      printer.aside(`The undo goes on in the cluster. See its end with: thaw watch ${undoId}`);
    return outcome;
  } finally {
    await temporal.close();
  }
}

function requestOf(
  { config, env, disableTriggers, reason }: UndoJob,
  { restoreId: undoes, database }: UndoneRestore,
): UndoRequest {
  return {
    ...{ restoreId: newRestoreId(), undoes, database, fingerprint: fingerprint(config, database) },
    ...{ disableTriggers, by: whoAsks(env), reason },
  };
}

/** @throws ThawError why it could not begin or go on */
function failuresOf({ error, tables }: UndoOutcome): UndoFailure[] {
  if (error !== null) throw new ThawError(error.code, error.message, { hint: error.hint });
  return tables.flatMap((table) =>
    table.error === null ? [] : [{ target: table.target, error: table.error }],
  );
}

function tableErrorOf(raw: unknown, object: string): TableError {
  const { code, message, hint } = databaseError(raw, { object });
  return { code, message, hint };
}

/** An interrupt lets the transaction end that is under way, and the tables go: so it breaks no connection. */
function withClient({ config, env }: UndoJob, restore: UndoneRestore): InDatabase {
  const session = { applicationName: `thaw/undo-${restore.restoreId}` };
  return (work) => withDatabase(findDatabase(config, restore.database), env, session, work);
}

function extentLines(extents: readonly UndoExtent[]): string[] {
  return extents.map(
    ({ target, inserted, overwritten }) =>
      `${target}: ${formatCount(inserted)} rows are deleted, and ${formatCount(overwritten)} get what they had.`,
  );
}

function madeLines(made: TakenObjects | null): string[] {
  if (made === null || made.left === 0) return [];
  return [
    `${formatCount(made.left)} models and fields are taken away, if they are unchanged and empty then.`,
  ];
}

function lastText({ undoId, by, finishedAt }: StoredUndo): string {
  return `, by ${undoId} of ${by}${finishedAt === null ? '' : ` at ${finishedAt}`}`;
}
