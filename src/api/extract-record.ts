import { z } from '@hono/zod-openapi';
import { namespaceClaim } from '../auth/claims.ts';
import { must } from '../client/restore-input.ts';
import { bundleParts } from '../contract/run-request.ts';
import { runStatuses } from '../contract/run-status.ts';
import type { ExtractRunRow } from '../control/extract-runs.ts';
import type { ExtractRow } from '../control/extracts.ts';
import { textInput } from './text-input.ts';

const count = z.int().min(0);
const time = z.iso.datetime();

/** The `extracts` record: a saved extract. */
export const extractRecord = z
  .object({
    id: z.uuid(),
    name: z.string(),
    description: z.string().nullable(),
    include: z.array(z.string()),
    models: z.array(z.string()).nullable(),
    enabled: z.boolean(),
    options: z.record(z.string(), z.unknown()),
    last_run_id: z.string().nullable(),
    last_run_at: time.nullable(),
    total_runs: count,
    created_by: z.string(),
    created_at: time,
    updated_at: time,
    trashed_at: time.nullable(),
  })
  .openapi('Extract');

/** Writes a saved extract as JSON. */
export function toExtractRecord(row: ExtractRow): z.output<typeof extractRecord> {
  const { tenant: _, include, models, options, ...rest } = row;
  return {
    ...rest,
    include: [...include],
    models: models === null ? null : [...models],
    options: { ...options },
    last_run_at: row.last_run_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    trashed_at: row.trashed_at?.toISOString() ?? null,
  };
}

/** The `extract_runs` record. */
export const extractRunRecord = z
  .object({
    id: z.string(),
    extract_id: z.uuid(),
    extract_name: z.string(),
    status: z.enum(runStatuses),
    progress: z.int().min(0).max(100),
    progress_detail: z.record(z.string(), z.unknown()),
    started_at: time.nullable(),
    completed_at: time.nullable(),
    records_exported: count,
    models_exported: count,
    filename: z.string().nullable(),
    size: count.nullable().openapi({ description: 'Bytes of the bundle.' }),
    sha256: z.string().nullable(),
    expires_at: time.nullable().openapi({ description: 'When the bundle is removed.' }),
    download_count: count,
    error: z.string().nullable(),
    error_detail: z.string().nullable(),
    created_by: z.string(),
    created_at: time,
  })
  .openapi('ExtractRun');

/** Writes a run of an extract as JSON. */
export function toExtractRunRecord(row: ExtractRunRow): z.output<typeof extractRunRecord> {
  return {
    id: row.id,
    extract_id: row.extract_id,
    extract_name: row.extract_name,
    status: row.status,
    progress: row.progress,
    progress_detail: { ...row.progress_detail },
    started_at: row.started_at?.toISOString() ?? null,
    completed_at: row.completed_at?.toISOString() ?? null,
    records_exported: row.records_exported,
    models_exported: row.models_exported,
    filename: row.filename,
    size: row.bytes,
    sha256: row.sha256,
    expires_at: row.expires_at?.toISOString() ?? null,
    download_count: row.download_count,
    error: row.error,
    error_detail: row.error_detail,
    created_by: row.created_by,
    created_at: row.created_at.toISOString(),
  };
}

const name = textInput(255).min(1, 'must not be empty');

/** Settings that a PUT or PATCH may change; what is absent stays as it is. */
export const extractChange = z
  .strictObject(
    {
      name: name.optional(),
      description: textInput(10_000).nullable().optional(),
      include: z
        .array(z.enum(bundleParts, must('must be describe or data')), must('must be a list'))
        .min(1, 'must not be empty')
        .optional(),
      models: z
        .array(name, must('must be a list of names'))
        .max(10_000, 'must have at most 10,000 names')
        .nullable()
        .optional(),
      enabled: z.boolean(must('must be true or false')).optional(),
      options: z
        .strictObject(
          {
            database: name.optional().openapi({
              description: 'As configured; that of THAW_BUNDLE_DATABASE or the only one by default.',
            }),
            namespace: namespaceClaim.optional().openapi({
              description: "The schema; the token's ns by default, and only root may name another.",
            }),
          },
          'must be an object of database and namespace',
        )
        .optional(),
    },
    'must be an object of settings',
  )
  .openapi('ExtractChange', { example: { enabled: true } });

/** An extract to be saved. Made of its own: described as an extension, it would be an `allOf` that nothing fits. */
export const extractCreation = z
  .strictObject({ ...extractChange.shape, name }, 'must be an object of settings')
  .openapi('ExtractCreation', { example: { name: 'My Dev Data' } });
