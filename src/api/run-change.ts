import { isEnded, type RestoreState } from '../contract/progress.ts';
import type { LogLine } from '../control/logs.ts';
import type { RunChange } from '../control/runs.ts';
import { failureOf, percentDone, type Run } from './run.ts';
import { toRunJson } from './run-json.ts';

/** What is written of a run that was looked at, in the words of the API document. */
export function changeOf(run: Run): RunChange {
  const { inserted, updated, skipped, failed } = run.tally.rows;
  return {
    state: run.state,
    progress: percentDone(run),
    progressDetail: {
      phase: phaseOf(run.state),
      files_total: run.archives.total,
      files_completed: run.archives.done,
      current_model:
        run.tables.find((table) => !isEnded(table.state) && table.state !== 'queued')?.target ?? null,
      records_imported: inserted,
      records_skipped: skipped,
    },
    counts: {
      recordsImported: inserted,
      recordsUpdated: updated,
      recordsSkipped: skipped,
      recordsFailed: failed,
    },
    error: failureOf(run),
    errorDetail: errorDetail(run),
    startedAt: run.startedAt,
    endedAt: run.endedAt,
    ...(isEnded(run.state) ? { detail: toRunJson(run) } : {}),
  };
}

function phaseOf(state: RestoreState): string {
  return state === 'queued' || state === 'planning' ? state : 'importing_data';
}

/** Code, message and hint of everything that went wrong, a line for each. */
function errorDetail(run: Run): string | null {
  const errors = run.error === null ? [] : [`${run.error.code}: ${run.error.message} ${run.error.hint}`];
  const failures = run.failures.map(
    ({ archive, code, message, hint }) => `${archive}: ${code}: ${message} ${hint}`,
  );
  const lines = [...errors, ...failures];
  return lines.length === 0 ? null : lines.join('\n');
}

/** What the log says at the end of a run: of each table, of what failed, and how it ended. */
export function endLines(run: Run): LogLine[] {
  const tables = run.tables.map(({ target, tally }): LogLine => {
    const { inserted, updated, skipped } = tally.rows;
    return {
      ...inData(`table/${target}`, target),
      level: 'info',
      message: `Imported ${inserted} records, skipped ${skipped}, updated ${updated}`,
    };
  });
  const failures = run.failures.map(
    ({ archive, code, message, hint, stage }): LogLine => ({
      ...inData(`archive/${archive}`, null),
      level: 'error',
      message: `${archive}: ${message}`,
      detail: { code, hint, stage },
    }),
  );
  return [...tables, ...failures, lastLine(run)];
}

function lastLine(run: Run): LogLine {
  const line = inData('end', null);
  switch (run.state) {
    case 'completed':
      return { ...line, level: 'info', message: 'Restore completed successfully' };
    case 'cancelled':
      return { ...line, level: 'warn', message: 'Restore cancelled by user' };
    default:
      return {
        ...line,
        level: 'error',
        message: `Restore failed: ${failureOf(run) ?? 'some archives are not restored.'}`,
        detail: run.error === null ? null : { code: run.error.code, hint: run.error.hint },
      };
  }
}

function inData(key: string, model: string | null) {
  return { key, phase: 'data_import', model, record: null, detail: null } as const;
}
