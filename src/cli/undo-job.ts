import type pg from 'pg';
import { UndoClient } from '../client/undo-client.ts';
import { findDatabase } from '../config/database-config.ts';
import { fingerprint } from '../config/fingerprint.ts';
import type { UndoFailure } from '../contract/undo-request.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import type { StoredRestore } from '../postgres/restores.ts';
import { formatCount } from '../restore/format.ts';
import { extentOf, reportUndo, type UndoExtent, type UndoneTable, undoTables } from '../undo/undo-restore.ts';
import { confirmByName } from './confirm.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { findRestore, type RestoreSearch } from './find-restore.ts';
import type { TemporalFlags } from './flags.ts';
import { Interrupt } from './interrupt.ts';
import { errorLines } from './summary.ts';
import { clusterPlace, clusterTaskQueue, openCluster, type TemporalPlace } from './temporal.ts';

/** One `thaw undo`. */
export interface UndoJob extends RestoreSearch {
  readonly flags: TemporalFlags & { readonly taskQueue?: string };
  readonly disableTriggers: boolean;
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
  const restore = await findRestore(job);
  const interrupt = new Interrupt();
  try {
    const inDatabase = withClient(job, restore);
    if (!yes) {
      const extents = await inDatabase((client) => extentOf(client, restore));
      if (!(await confirmByName(restoreId, extentLines(extents)))) {
        printer.aside('Not confirmed: nothing was done.');
        return exitCodes.failed;
      }
    }
    const place = clusterPlace(flags, env);
    const failures =
      place === null
        ? await undoHere(job, restore, inDatabase, interrupt)
        : await undoInCluster(job, restore, place, interrupt);
    if (failures === null) return exitCodes.interrupted;
    const keys = json ? shownKeys.json : shownKeys.text;
    const tables = await inDatabase((client) => reportUndo(client, restoreId, failures, keys));
    const { database } = restore.request;
    if (json) printer.line(JSON.stringify({ restoreId, database, tables }));
    else for (const line of undoneLines(tables)) printer.line(line);
    return exitCodeOf(tables);
  } finally {
    interrupt.release();
  }
}

type InDatabase = <Result>(work: (client: pg.Client) => Promise<Result>) => Promise<Result>;

/** Undoes it in this process. @returns null where it was interrupted */
async function undoHere(
  { disableTriggers, printer }: UndoJob,
  restore: StoredRestore,
  inDatabase: InDatabase,
  { signal }: Interrupt,
): Promise<readonly UndoFailure[] | null> {
  try {
    return await inDatabase((client) => undoTables(client, { restore, disableTriggers, signal }));
  } catch (error) {
    if (!signal.aborted) throw error;
    printer.aside('Interrupted: what was undone stays so. Give the same command again to go on.');
    return null;
  }
}

/** The workers of the cluster undo it; this command only waits. @returns null where it does so no more */
async function undoInCluster(
  { config, env, flags, disableTriggers, printer }: UndoJob,
  { request: { restoreId, database } }: StoredRestore,
  place: TemporalPlace,
  interrupt: Interrupt,
): Promise<readonly UndoFailure[] | null> {
  const temporal = await openCluster(place, env);
  try {
    const undos = new UndoClient(temporal.client, clusterTaskQueue(flags.taskQueue, env));
    await undos.start({ restoreId, database, fingerprint: fingerprint(config, database), disableTriggers });
    const ended = undos.outcome(restoreId);
    const failures = await Promise.race([ended, interrupt.asked().then(() => null)]);
    if (failures !== null) return failures;
    ended.catch(() => {});
    printer.aside('The undo goes on in the cluster. Give the same command again to wait for it.');
    return null;
  } finally {
    await temporal.close();
  }
}

/** An interrupt lets the transaction end that is under way, and the tables go: so it breaks no connection. */
function withClient({ config, env }: UndoJob, { request }: StoredRestore): InDatabase {
  const session = { applicationName: `thaw/undo-${request.restoreId}` };
  return (work) => withDatabase(findDatabase(config, request.database), env, session, work);
}

function exitCodeOf(tables: readonly UndoneTable[]): ExitCode {
  if (tables.some(({ error }) => error !== null)) return exitCodes.failed;
  return tables.some(({ left }) => left.length > 0) ? exitCodes.partial : exitCodes.done;
}

function extentLines(extents: readonly UndoExtent[]): string[] {
  return extents.map(
    ({ target, inserted, overwritten }) =>
      `${target}: ${formatCount(inserted)} rows are deleted, and ${formatCount(overwritten)} get what they had.`,
  );
}

/** What an undo did, for people. */
function undoneLines(tables: readonly UndoneTable[]): string[] {
  return tables.length === 0 ? ['The restore has changed no row.'] : tables.flatMap(tableLines);
}

function tableLines({ target, deleted, broughtBack, gone, left, error }: UndoneTable): string[] {
  return [
    `${target}:`,
    ...(error === null ? [] : errorLines(error).map((line) => `  ${line}`)),
    `  Deleted: ${formatCount(deleted)}`,
    `  Brought back: ${formatCount(broughtBack)}`,
    ...(gone > 0 ? [`  Deleted by others since: ${formatCount(gone)}`] : []),
    ...left.map(({ why, rows, keys }) => {
      const more = rows > keys.length ? ', ...' : '';
      return `  Left, ${why}: ${formatCount(rows)}: ${keys.map((key) => key.join('|')).join(', ')}${more}`;
    }),
  ];
}
