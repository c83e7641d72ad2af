import { z } from '@hono/zod-openapi';
import { errorCodes } from '../contract/error-code.ts';
import type { RowText } from '../contract/snapshot-difference.ts';
import type { HeldKey, PlannedLock, SnapshotPreview, TablePreview } from '../contract/snapshot-preview.ts';
import { nameOf } from '../snapshot/order/table-order.ts';

const count = z.int().min(0);
const row = z.record(z.string(), z.string().nullable()).nullable();

const table = z.object({
  table: z.string().openapi({ description: '`schema.table`' }),
  inserted: count,
  updated: count,
  deleted: count,
  unchanged: count,
  samples: z
    .array(
      z.object({
        kind: z.enum(['insert', 'update', 'delete']),
        key: row.openapi({ description: 'Null of a table without a key.' }),
        before: row.optional().openapi({ description: 'The row as it is, where values were asked for.' }),
        after: row.optional(),
      }),
    )
    .openapi({ description: 'Some differences of each kind.' }),
  triggers: z.array(z.string()).openapi({ description: 'That would fire, and are kept from it.' }),
});

/** What a restore of a snapshot would do, to the row. */
export const snapshotPreviewJson = z
  .object({
    dry_run: z.literal(true),
    database: z.string(),
    tables: z.array(table),
    foreign_keys: z.array(
      z.object({
        name: z.string(),
        table: z.string(),
        refers_to: z.string(),
        hold: z.enum(['deferred', 'made deferrable', 'taken off']),
      }),
    ),
    locks: z.array(
      z.object({
        table: z.string(),
        lock: z.enum(['share row exclusive', 'access exclusive']),
        why: z.string(),
      }),
    ),
    issues: z
      .array(z.object({ issue: z.string(), code: z.enum(errorCodes), object: z.string().nullable() }))
      .openapi({ description: 'Rows for which the restore would be refused, as it would say it itself.' }),
    if_unchanged: z
      .string()
      .openapi({ description: 'Sent with a restore, it is refused where a table has changed since.' }),
    notices: z.array(z.string()),
  })
  .openapi('SnapshotPreview');
export type SnapshotPreviewJson = z.output<typeof snapshotPreviewJson>;

/** Writes it. */
export function toSnapshotPreviewJson(database: string, preview: SnapshotPreview): SnapshotPreviewJson {
  return {
    ...{ dry_run: true, database, if_unchanged: preview.ifUnchanged },
    tables: preview.tables.map(tableJson),
    foreign_keys: preview.foreignKeys.map(keyJson),
    locks: preview.locks.map(lockJson),
    issues: preview.issues.map((issue) => ({ ...issue })),
    notices: [...preview.notices],
  };
}

function tableJson(preview: TablePreview): SnapshotPreviewJson['tables'][number] {
  const { inserted, updated, deleted, unchanged, samples, triggers } = preview;
  return {
    ...{ table: nameOf(preview), inserted, updated, deleted, unchanged, triggers: [...triggers] },
    samples: samples.map(({ kind, key, before, after }) => ({
      ...{ kind, key: copyOf(key) },
      ...(before === undefined ? {} : { before: copyOf(before) }),
      ...(after === undefined ? {} : { after: copyOf(after) }),
    })),
  };
}

function copyOf(values: RowText | null): Record<string, string | null> | null {
  return values === null ? null : { ...values };
}

function keyJson({ name, table: of, refersTo, hold }: HeldKey) {
  return { name, table: nameOf(of), refers_to: nameOf(refersTo), hold };
}

function lockJson({ table: of, lock, why }: PlannedLock) {
  return { table: nameOf(of), lock, why };
}
