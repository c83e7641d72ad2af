import { z } from '@hono/zod-openapi';
import { restoreStates } from '../contract/progress.ts';
import { runSourceTypes } from '../contract/run-request.ts';
import { runStatuses } from '../contract/run-status.ts';
import type { StoredRun } from '../control/runs.ts';

const count = z.int().min(0);
const time = z.iso.datetime();

/** The documented `restore_runs` record, with Thaw's own `state` beside `status`. */
export const runRecord = z
  .object({
    id: z.string(),
    restore_id: z.string().nullable().openapi({ description: 'The saved restore; null without one.' }),
    restore_name: z.string().nullable(),
    source_type: z.enum(runSourceTypes),
    source_filename: z.string().nullable().openapi({ description: 'Of an upload, as it was sent.' }),
    status: z.enum(runStatuses).openapi({ description: 'One of the documented six.' }),
    state: z
      .enum(restoreStates)
      .openapi({ description: 'Its finer word: paused, for instance, is running.' }),
    progress: z.int().min(0).max(100).openapi({ description: 'Percent.' }),
    progress_detail: z.record(z.string(), z.unknown()).openapi({
      example: { phase: 'importing_data', files_total: 10, files_completed: 7, current_model: 'orders' },
    }),
    started_at: time.nullable(),
    completed_at: time.nullable(),
    duration_seconds: z
      .number()
      .nullable()
      .openapi({ description: 'From started_at to completed_at; null until then.' }),
    records_imported: count.openapi({ description: 'Inserted.' }),
    records_updated: count.openapi({
      description: 'Changed, or there already and the same, by the strategy.',
    }),
    records_skipped: count.openapi({ description: 'Left as they were.' }),
    records_deleted: count.openapi({ description: 'Deleted by replace, or by the restore of a snapshot.' }),
    records_failed: count.openapi({ description: 'Refused by the database.' }),
    models_created: count,
    fields_created: count,
    error: z.string().nullable().openapi({ description: 'Why it failed.' }),
    error_detail: z
      .string()
      .nullable()
      .openapi({ description: 'The code of the error, what to do, and where it arose.' }),
    config_snapshot: z
      .record(z.string(), z.unknown())
      .openapi({ description: 'The settings that it began with.' }),
    created_by: z.string().openapi({ description: 'The claim sub of the token.' }),
    created_at: time,
  })
  .openapi('RestoreRun');
export type RunRecord = z.output<typeof runRecord>;

/** Writes a run as the documented record. */
export function toRunRecord(run: StoredRun): RunRecord {
  const { counts, startedAt, completedAt } = run;
  const duration =
    startedAt === null || completedAt === null ? null : completedAt.getTime() - startedAt.getTime();
  return {
    id: run.id,
    restore_id: run.restoreId,
    restore_name: run.restoreName,
    source_type: run.sourceType,
    source_filename: run.sourceFilename,
    status: run.status,
    state: run.state,
    progress: run.progress,
    progress_detail: { ...run.progressDetail },
    started_at: startedAt?.toISOString() ?? null,
    completed_at: completedAt?.toISOString() ?? null,
    duration_seconds: duration === null ? null : duration / 1000,
    records_imported: counts.recordsImported,
    records_updated: counts.recordsUpdated,
    records_skipped: counts.recordsSkipped,
    records_deleted: counts.recordsDeleted,
    records_failed: counts.recordsFailed,
    models_created: counts.modelsCreated,
    fields_created: counts.fieldsCreated,
    error: run.error,
    error_detail: run.errorDetail,
    config_snapshot: { ...run.configSnapshot },
    created_by: run.createdBy,
    created_at: run.createdAt.toISOString(),
  };
}
