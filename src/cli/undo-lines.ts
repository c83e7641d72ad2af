import type { LeftCount, TakenObjects, UndoneTable, UndoOutcome } from '../contract/undo-request.ts';
import { formatCount, formatSeconds } from '../restore/format.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { errorLines } from './summary.ts';

/** Rows that were left, with some of their keys where these are told. */
type Left = LeftCount & { readonly keys?: readonly (readonly string[])[] };

/** What an undo did, for people. */
export function undoneLines(tables: readonly UndoneTable<Left>[], made: TakenObjects | null): string[] {
  const rows = tables.length === 0 ? ['The restore has changed no row.'] : tables.flatMap(tableLines);
  return [...rows, ...madeLines(made)];
}

function madeLines(made: TakenObjects | null): string[] {
  if (made === null) return [];
  const { models, fields, left, examples } = made;
  return [
    `Taken away: ${formatCount(models)} models, ${formatCount(fields)} fields of others`,
    ...examples.map(({ object, why }) => `  Left: ${object}: ${why}`),
    ...(left > examples.length ? [`  Left besides: ${formatCount(left - examples.length)}`] : []),
  ];
}

/** How a command ends after an undo of which that came. */
export function exitCodeOf(tables: readonly UndoneTable[], made: TakenObjects | null): ExitCode {
  if (tables.some(({ error }) => error !== null)) return exitCodes.failed;
  const isLeft = tables.some(({ left }) => left.length > 0) || (made?.left ?? 0) > 0;
  return isLeft ? exitCodes.partial : exitCodes.done;
}

/** How an undo ended, for people who ask after it by its id. */
export function undoLines(outcome: UndoOutcome): string[] {
  const { state, undoes, tables, made, error, seconds } = outcome;
  return [
    ...(error === null ? undoneLines(tables, made) : errorLines(error)),
    `Undo of restore ${undoes}: ${state.replaceAll('_', ' ')} after ${formatSeconds(seconds)}.`,
  ];
}

/** How a command ends that waited for an undo. */
export function undoExitCode({ state, tables, made }: UndoOutcome): ExitCode {
  if (state === 'cancelled') return exitCodes.interrupted;
  return state === 'failed' ? exitCodes.failed : exitCodeOf(tables, made);
}

function tableLines({ target, deleted, broughtBack, gone, left, error }: UndoneTable<Left>): string[] {
  return [
    `${target}:`,
    ...(error === null ? [] : errorLines(error).map((line) => `  ${line}`)),
    `  Deleted: ${formatCount(deleted)}`,
    `  Brought back: ${formatCount(broughtBack)}`,
    ...(gone > 0 ? [`  Deleted by others since: ${formatCount(gone)}`] : []),
    ...left.map(({ why, rows, keys = [] }) => {
      const more = rows > keys.length ? ', ...' : '';
      const some = keys.length === 0 ? '' : `: ${keys.map((key) => key.join('|')).join(', ')}${more}`;
      return `  Left, ${why}: ${formatCount(rows)}${some}`;
    }),
  ];
}
