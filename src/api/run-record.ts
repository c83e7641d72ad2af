import { z } from '@hono/zod-openapi';
import { isEnded, type RestoreState, restoreStates } from '../contract/progress.ts';
import { runStatus, runStatuses } from '../contract/run-status.ts';
import { failureOf, percentDone, type Run } from './run.ts';

const count = z.int().min(0);

/** The documented `restore_runs` record, with Thaw's own `state` beside `status`. */
export const runRecord = z
  .object({
    id: z.string(),
    restore_id: z.string().nullable().openapi({ description: 'The saved configuration; null without one.' }),
    restore_name: z.string().nullable(),
    status: z.enum(runStatuses),
    state: z.enum(restoreStates),
    progress: z.int().min(0).max(100),
    progress_detail: z.object({
      phase: z.string().openapi({ example: 'importing_data' }),
      files_total: count.nullable(),
      files_completed: count,
      current_model: z.string().nullable(),
      records_imported: count,
      records_skipped: count,
    }),
    started_at: z.iso.datetime().nullable(),
    completed_at: z.iso.datetime().nullable(),
    duration_seconds: z.number().nullable(),
    records_imported: count.openapi({ description: 'Inserted.' }),
    records_updated: count,
    records_skipped: count,
    records_failed: count,
    models_created: count,
    fields_created: count,
    error: z.string().nullable(),
    error_detail: z.string().nullable(),
    created_at: z.iso.datetime(),
  })
  .openapi('RestoreRun');
export type RunRecord = z.output<typeof runRecord>;

/** Writes a run as the documented record. */
export function toRunRecord(run: Run): RunRecord {
  const { inserted, updated, skipped, failed } = run.tally.rows;
  return {
    id: run.id,
    restore_id: null,
    restore_name: null,
    status: runStatus(run.state),
    state: run.state,
    progress: percentDone(run),
    progress_detail: {
      phase: phaseOf(run.state),
      files_total: run.archives.total,
      files_completed: run.archives.done,
      current_model:
        run.tables.find((table) => !isEnded(table.state) && table.state !== 'queued')?.target ?? null,
      records_imported: inserted,
      records_skipped: skipped,
    },
    started_at: run.startedAt?.toISOString() ?? null,
    completed_at: run.endedAt?.toISOString() ?? null,
    duration_seconds: durationOf(run),
    records_imported: inserted,
    records_updated: updated,
    records_skipped: skipped,
    records_failed: failed,
    // Row archives bring no tables or columns along; bundles will.
    models_created: 0,
    fields_created: 0,
    error: failureOf(run),
    error_detail: errorDetail(run),
    created_at: run.createdAt.toISOString(),
  };
}

function phaseOf(state: RestoreState): string {
  return state === 'queued' || state === 'planning' ? state : 'importing_data';
}

function durationOf({ startedAt, endedAt }: Run): number | null {
  return startedAt === null || endedAt === null ? null : (endedAt.getTime() - startedAt.getTime()) / 1000;
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
