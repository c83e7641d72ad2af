import { z } from '@hono/zod-openapi';
import { sourceTypes } from '../contract/run-request.ts';
import type { RestoreRow } from '../control/restores.ts';
import { textInput } from './text-input.ts';

const count = z.int().min(0);
const time = z.iso.datetime();

/** The documented `restores` record: a saved restore. */
export const restoreRecord = z
  .object({
    id: z.uuid(),
    name: z.string(),
    description: z.string().nullable(),
    source_type: z.enum(sourceTypes),
    source_ref: z.string().nullable(),
    conflict_strategy: z.string(),
    include: z.array(z.string()),
    models: z.array(z.string()).nullable(),
    create_models: z.boolean(),
    enabled: z.boolean().openapi({ description: 'Whether it may be run.' }),
    options: z.record(z.string(), z.unknown()),
    last_run_id: z.string().nullable().openapi({ description: 'The run that began last.' }),
    last_run_at: time.nullable(),
    total_runs: count.openapi({ description: 'Runs that have begun.' }),
    successful_runs: count.openapi({ description: 'Runs that are completed.' }),
    failed_runs: count.openapi({ description: 'Runs that have failed.' }),
    created_by: z.string().openapi({ description: 'The claim sub of the token.' }),
    created_at: time,
    updated_at: time,
    trashed_at: time.nullable().openapi({ description: 'When it was deleted; null: it was not.' }),
  })
  .openapi('Restore');
export type RestoreRecord = z.output<typeof restoreRecord>;

/** Writes a saved restore as the documented record. */
export function toRestoreRecord(row: RestoreRow): RestoreRecord {
  const { tenant: _, namespace: __, include, models, options, ...rest } = row;
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

const name = textInput(255).min(1, 'must not be empty');
const title = name.openapi({ description: 'For people; need not be unique.' });
const names = z.array(name, 'must be a list of names').max(10_000, 'must have at most 10,000 names');
const flag = z.boolean('must be true or false');

/** The table of examples. */
export const exampleTable = { database: 'production_db', table: 'audit_logs' };

/** Settings that a PUT or PATCH may change; what is absent stays as it is. */
export const restoreChange = z
  .strictObject(
    {
      name: title.optional(),
      description: textInput(10_000).nullable().optional().openapi({ description: 'Notes.' }),
      source_type: textInput(50)
        .optional()
        .openapi({ enum: [...sourceTypes], description: 'Where the data comes from; upload by default.' }),
      source_ref: textInput(2000)
        .nullable()
        .optional()
        .openapi({ description: 'Which data: the id of an upload, of the run of an extract, a URL, …' }),
      conflict_strategy: textInput(50)
        .optional()
        .openapi({ description: 'One of the source; bundles: upsert by default, archives: skip.' }),
      include: names.optional().openapi({ description: 'Of a bundle: describe, data, or both.' }),
      models: names.nullable().optional().openapi({ description: 'Of a bundle: these models; null: all.' }),
      create_models: flag.optional().openapi({ description: 'Whether a bundle may make models.' }),
      enabled: flag.optional().openapi({ description: 'Whether it may be run.' }),
      options: z
        .record(z.string(), z.unknown(), 'must be an object of settings')
        .optional()
        .openapi({ description: 'What only the source knows. For archives: the fields of RestoreInput.' }),
    },
    'must be an object of settings',
  )
  .openapi('RestoreChange', { example: { enabled: true } });

/** A restore to be saved. Made of its own: described as an extension, it would be an `allOf` that nothing fits. */
export const restoreCreation = z
  .strictObject({ ...restoreChange.shape, name: title }, 'must be an object of settings')
  .openapi('RestoreCreation', {
    example: { name: 'Nightly', source_type: 'archives', options: exampleTable },
  });
