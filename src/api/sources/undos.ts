import type { UndoClient } from '../../client/undo-client.ts';
import { undoWorkflow } from '../../client/undo-client.ts';
import { isEnded } from '../../contract/progress.ts';
import type { RunRequest } from '../../contract/run-request.ts';
import type { TakenObjects, UndoneTable, UndoOutcome, UndoProgress } from '../../contract/undo-request.ts';
import type { LogLine } from '../../control/logs.ts';
import type { RunChange } from '../../control/runs.ts';
import { emptyTally } from '../../restore/tally.ts';
import { bareRun, type Run, type RunTimes, runOfProgress } from '../run.ts';
import { changeOf, endLines } from '../run-change.ts';
import type { RunSource } from './source.ts';

/** What undos need. */
export interface UndosDependencies {
  readonly undos: Pick<UndoClient, 'progress' | 'outcome'>;
}

type UndoRunRequest = Extract<RunRequest, { sourceType: 'undo' }>;

/** Runs that take another one back: what `thaw undo` does. */
export function undoSource({ undos }: UndosDependencies): RunSource<UndoRunRequest> {
  return {
    workflow: ({ undo }) => undoWorkflow(undo),
    async observe(runId, description) {
      return description.standing === 'running'
        ? runOfUndo(await undos.progress(runId), description)
        : runOfOutcome(await undos.outcome(runId), description);
    },
    change: undoChange,
    lines: undoLogLines,
    recall: async () => null,
  };
}

function runOfUndo(progress: UndoProgress, times: RunTimes): Run {
  const { undoes, undoing, outcome: _, ...rest } = progress;
  const tables = undoing.map((table) => ({ ...table, left: [], error: null }));
  return { ...runOfProgress(rest, times), undo: { undoes, tables, made: null } };
}

function runOfOutcome(outcome: UndoOutcome, times: RunTimes): Run {
  const { restoreId, undoes, database, state, tables, made, error, seconds } = outcome;
  const updated = tables.reduce((sum, { broughtBack }) => sum + broughtBack, 0);
  return {
    ...bareRun(
      restoreId,
      state,
      times,
      error ?? firstError(tables) ?? leftError(tables) ?? leftObjects(made),
    ),
    database,
    startedAt: new Date((times.endedAt ?? times.createdAt).getTime() - seconds * 1000),
    tally: { ...emptyTally, rows: { ...emptyTally.rows, updated, failed: leftRows(tables) } },
    undo: { undoes, tables: tables.map((table) => ({ ...table, total: null })), made },
  };
}

function firstError(tables: readonly UndoneTable[]): Run['error'] {
  return tables.find(({ error }) => error !== null)?.error ?? null;
}

/** Rows that were left make an undo incomplete, as rejected ones do a restore. */
function leftError(tables: readonly UndoneTable[]): Run['error'] {
  const rows = leftRows(tables);
  if (rows === 0) return null;
  return {
    code: 'ConflictFound',
    message: `${rows} rows were left as they are, since others changed or refer to them.`,
    hint: 'The run tells how many of each table and why; their keys stand in thaw.undos. Undo again to try them anew.',
  };
}

function leftObjects(made: TakenObjects | null): Run['error'] {
  if (made === null || made.left === 0) return null;
  return {
    code: 'ConflictFound',
    message: `${made.left} models and fields that the restore made were left, since they were changed or are in use.`,
    hint: 'The run tells which, and why. Undo again to try them anew.',
  };
}

function leftRows(tables: readonly UndoneTable[]): number {
  return tables.flatMap(({ left }) => left).reduce((sum, { rows }) => sum + rows, 0);
}

function undoChange(run: Run): RunChange {
  const change = changeOf(run);
  const recordsDeleted = run.undo?.tables.reduce((sum, { deleted }) => sum + deleted, 0) ?? 0;
  return {
    ...change,
    progressDetail: {
      phase: isEnded(run.state) ? run.state : 'undoing',
      records_updated: run.tally.rows.updated,
      records_deleted: recordsDeleted,
    },
    counts: { ...change.counts, recordsDeleted },
  };
}

function undoLogLines(run: Run): LogLine[] {
  if (!isEnded(run.state)) return [];
  const tables = (run.undo?.tables ?? []).map(({ target, deleted, broughtBack, left }): LogLine => {
    const kept = left.map(({ why, rows }) => `, left ${rows} (${why})`).join('');
    return {
      ...{
        key: `undo/${target}`,
        level: left.length === 0 ? 'info' : 'warn',
        phase: 'data_import',
        model: target,
      },
      ...{
        record: null,
        message: `Deleted ${deleted} records, brought back ${broughtBack}${kept}`,
        detail: null,
      },
    };
  });
  const made = run.undo?.made ?? null;
  const objects = (made?.examples ?? []).map(
    ({ object, why }): LogLine => ({
      ...{ key: `undo/made/${object}`, level: 'warn', phase: 'describe_import', model: object },
      ...{ record: null, message: `Left, as ${why}`, detail: null },
    }),
  );
  return [...tables, ...madeLines(made), ...objects, ...endLines(run)];
}

function madeLines(made: TakenObjects | null): LogLine[] {
  if (made === null) return [];
  return [
    {
      ...{ key: 'undo/made', level: 'info', phase: 'describe_import', model: null, record: null },
      ...{ message: `Took away ${made.models} models, and ${made.fields} fields of others`, detail: null },
    },
  ];
}
