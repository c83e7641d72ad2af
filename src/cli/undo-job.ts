import { formatCount } from '../restore/format.ts';
import { extentOf, type UndoExtent, type UndoneTable, undoRestore } from '../undo/undo-restore.ts';
import { confirmByName } from './confirm.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { findRestore, type RestoreSearch } from './find-restore.ts';
import { Interrupt } from './interrupt.ts';
import { errorLines } from './summary.ts';

/** One `thaw undo`. */
export interface UndoJob extends RestoreSearch {
  readonly disableTriggers: boolean;
  /** Asks nothing. */
  readonly yes: boolean;
  readonly json: boolean;
}

/** Keys that are told of rows left for one reason: for people, and as JSON. */
const shownKeys = { text: 20, json: 10_000 };

/**
 * Takes a restore back, and prints what came of it.
 *
 * @throws ThawError where it could not begin
 */
export async function runUndo(job: UndoJob): Promise<ExitCode> {
  const { config, env, printer, restoreId, disableTriggers, yes, json } = job;
  const restore = await findRestore(job);
  const interrupt = new Interrupt();
  const { signal } = interrupt;
  const keys = json ? shownKeys.json : shownKeys.text;
  const undo = { config, env, restore, disableTriggers, shownKeys: keys, signal };
  try {
    if (!yes && !(await confirmByName(restoreId, extentLines(await extentOf(undo))))) {
      printer.aside('Not confirmed: nothing was done.');
      return exitCodes.failed;
    }
    const tables = await undoRestore(undo);
    const { database } = restore.request;
    if (json) printer.line(JSON.stringify({ restoreId, database, tables }));
    else for (const line of undoneLines(tables)) printer.line(line);
    return exitCodeOf(tables);
  } catch (error) {
    if (!signal.aborted) throw error;
    printer.aside('Interrupted: what was undone stays so. Give the same command again to go on.');
    return exitCodes.interrupted;
  } finally {
    interrupt.release();
  }
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
export function undoneLines(tables: readonly UndoneTable[]): string[] {
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
