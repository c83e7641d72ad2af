import type { RestoreProgress } from '../contract/progress.ts';
import type {
  TakenObjects,
  UndoEnd,
  UndoHeartbeat,
  UndoneRows,
  UndoneTable,
  UndoOutcome,
  UndoPlan,
  UndoProgress,
  UndoRequest,
} from '../contract/undo-request.ts';
import { clip } from './clip.ts';
import { formatCount } from './format.ts';
import { type RestoreHead, sumProgress } from './progress.ts';
import { emptyTally } from './tally.ts';

/** Tables that the Temporal UI shows of an undo. */
const shownTables = 50;

/** The end of an undo, by what came of its tables. */
export function undoOutcome(
  { request, startedAt, isCancelled, error }: UndoEnd,
  tables: readonly UndoneTable[],
  made: TakenObjects | null,
  now: number,
): UndoOutcome {
  const { restoreId, undoes, database } = request;
  const isWhole =
    tables.every((table) => table.left.length === 0 && table.error === null) && (made?.left ?? 0) === 0;
  const ended = isWhole ? 'completed' : 'completed_with_failures';
  return {
    ...{ restoreId, undoes, database, tables, made, error },
    state: isCancelled ? 'cancelled' : error !== null ? 'failed' : ended,
    seconds: (now - Date.parse(startedAt)) / 1000,
  };
}

/** The progress of an undo, in the form that all restores have: it reads no archives. */
export function undoProgress(
  { restoreId, undoes, database }: UndoRequest,
  head: Omit<RestoreHead, 'restoreId' | 'database'>,
  plan: UndoPlan | null,
  outcome: UndoOutcome | null,
  now: number,
): UndoProgress {
  const none: UndoneRows = { deleted: 0, broughtBack: 0, gone: 0 };
  const undoing = (plan?.tables ?? []).map(({ target, inserted, overwritten, undone }) => ({
    ...{ target, ...none, total: inserted + overwritten + undone },
  }));
  const bare = { ...sumProgress({ ...head, restoreId, database }, [], now), undoes, undoing, outcome };
  return outcome === null ? bare : withRows(bare, outcome.tables);
}

/** The same with the rows that its tables tell of. */
export function withRows(progress: UndoProgress, tables: UndoHeartbeat['tables']): UndoProgress {
  const rowsOf = new Map(tables.map((table) => [table.target, table]));
  const undoing = progress.undoing.map((table) => {
    const { deleted, broughtBack, gone } = rowsOf.get(table.target) ?? table;
    return { ...table, deleted, broughtBack, gone };
  });
  const updated = undoing.reduce((sum, { broughtBack }) => sum + broughtBack, 0);
  return { ...progress, undoing, tally: { ...emptyTally, rows: { ...emptyTally.rows, updated } } };
}

/** Rows that an undo has dealt with, of all that the restore had changed. */
export function undoExtent({ undoing }: Pick<UndoProgress, 'undoing'>): {
  readonly done: number;
  readonly total: number;
} {
  return {
    done: undoing.reduce((sum, { deleted, broughtBack, gone }) => sum + deleted + broughtBack + gone, 0),
    total: undoing.reduce((sum, { total }) => sum + total, 0),
  };
}

/** Whether a progress is that of an undo. */
export function isUndoProgress(progress: RestoreProgress): progress is UndoProgress {
  return 'undoing' in progress;
}

/** What the Temporal UI shows of an undo, in Markdown. */
export function describeUndo({ by, reason }: UndoRequest, progress: UndoProgress): string {
  const { state, undoes, database, undoing, outcome } = progress;
  const why = reason === null ? '' : `: ${clip(reason.replaceAll(/\s+/g, ' '), 500)}`;
  const error = outcome?.error ?? null;
  const left = new Map(outcome?.tables.map((table) => [table.target, leftText(table)]));
  return [
    `**${state}** undo of restore \`${undoes}\` of \`${database}\` for ${clip(by, 100)}${why}`,
    ...(error === null ? [] : ['', `**${error.code}** ${clip(error.message, 500)}`]),
    ...(undoing.length === 0
      ? []
      : ['', '| table | rows | deleted | brought back | left |', '|---|---|---|---|---|']),
    ...undoing
      .slice(0, shownTables)
      .map(
        ({ target, total, deleted, broughtBack }) =>
          `| ${target} | ${formatCount(total)} | ${formatCount(deleted)} | ${formatCount(broughtBack)} | ${left.get(target) ?? ''} |`,
      ),
  ].join('\n');
}

function leftText({ left, error }: UndoneTable): string {
  const rows = left.map(({ why, rows }) => `${formatCount(rows)} ${why}`);
  return [...rows, ...(error === null ? [] : [clip(error.message, 200)])].join(', ');
}
