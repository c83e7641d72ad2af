import { z } from '@hono/zod-openapi';
import type { TablePreview } from '../client/restore-preview.ts';
import type { RestoreRequest } from '../contract/restore-request.ts';

const count = z.int().min(0);

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
      }),
    ),
  })
  .openapi('Preview');

const shownKeys = 10;

/** Writes a preview as JSON. */
export function toPreviewJson(
  request: RestoreRequest,
  previews: readonly TablePreview[],
): z.output<typeof previewJson> {
  return {
    dry_run: true,
    database: request.database,
    tables: previews.map(({ table, archives, earlier, totals }) => ({
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
    })),
  };
}
