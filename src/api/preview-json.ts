import { z } from '@hono/zod-openapi';
import type { RestoreRequest } from '../contract/restore-request.ts';
import type { RehearsedOutcome } from '../preview/rehearse-table.ts';
import type { TablePreview } from '../preview/restore-preview.ts';

const count = z.int().min(0);

/** What came of loading the archives of a table into temporary tables. */
const rehearsed = z
  .object({
    archives_restored: count,
    archives_failed: count,
    rows_inserted: count,
    rows_updated: count,
    rows_skipped: count,
    rows_failed: count.openapi({ description: 'Refused rows, and all rows of archives that would fail.' }),
    estimated_seconds: z.number().min(0).openapi({
      description: 'That the dry run took, one archive after the other: the most that a restore takes.',
    }),
    estimated_disk_bytes: count.openapi({ description: 'By which the table grows, with its indexes.' }),
    failures: z
      .array(z.object({ archive: z.string(), code: z.string(), message: z.string(), hint: z.string() }))
      .openapi({ description: 'The first twenty of them.' }),
    error: z.object({ code: z.string(), message: z.string(), hint: z.string() }).nullable(),
    notices: z
      .array(z.string())
      .openapi({ description: 'What the restore would say of columns and archives.' }),
    unforeseen: z
      .array(z.string())
      .openapi({ description: 'What the restore may do otherwise; empty where the numbers are exact.' }),
  })
  .openapi('PreviewedOutcome');

/** What a restore would do: the `data` of a dry run. */
export const previewJson = z
  .object({
    dry_run: z.literal(true),
    database: z.string(),
    tables: z.array(
      z.object({
        table: z.string(),
        into_schema: z.string(),
        into_table: z.string(),
        archives: count.openapi({ description: 'Archives that would be loaded.' }),
        bytes: count.openapi({ description: 'Compressed bytes of them.' }),
        rows: count.openapi({ description: 'Rows of them, as their metadata says.' }),
        uncompressed_bytes: count,
        archives_without_metadata: count.openapi({
          description:
            'Archives whose metadata does not tell, and that rows and uncompressed_bytes leave out.',
        }),
        archives_restored_earlier: count,
        keys: z.array(z.string()).openapi({ description: 'The first ten of them.' }),
        outcome: rehearsed
          .nullable()
          .openapi({ description: 'Null where conflicts were not detected, and where notices say why not.' }),
        notices: z.array(z.string()).openapi({ description: 'What to know of the table.' }),
      }),
    ),
  })
  .openapi('Preview');

export type PreviewJson = z.output<typeof previewJson>;

const shownKeys = 10;

/** Writes a preview as JSON. */
export function toPreviewJson(request: RestoreRequest, previews: readonly TablePreview[]): PreviewJson {
  return {
    dry_run: true,
    database: request.database,
    tables: previews.map(({ table, archives, earlier, totals, outcome, notices }) => ({
      table: table.table,
      into_schema: table.intoSchema,
      into_table: table.intoTable,
      archives: archives.length,
      bytes: archives.reduce((sum, archive) => sum + archive.bytes, 0),
      rows: totals.rows,
      uncompressed_bytes: totals.uncompressedBytes,
      archives_without_metadata: totals.unknown,
      archives_restored_earlier: earlier,
      keys: archives.slice(0, shownKeys).map(({ key }) => key),
      outcome: outcome === null ? null : toOutcomeJson(outcome),
      notices: [...notices],
    })),
  };
}

function toOutcomeJson({ tally, failures, error, notices, unforeseen, estimate }: RehearsedOutcome) {
  const { archives, rows } = tally;
  return {
    archives_restored: archives.restored,
    archives_failed: archives.failed,
    rows_inserted: rows.inserted,
    rows_updated: rows.updated,
    rows_skipped: rows.skipped,
    rows_failed: rows.failed,
    estimated_seconds: estimate.seconds,
    estimated_disk_bytes: estimate.diskBytes,
    failures: failures.map(({ archive, code, message, hint }) => ({ archive, code, message, hint })),
    error,
    notices: [...notices],
    unforeseen: [...unforeseen],
  };
}
