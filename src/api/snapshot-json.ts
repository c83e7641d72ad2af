import { z } from '@hono/zod-openapi';
import type { SnapshotTaking } from '../client/snapshot-client.ts';
import { errorCodes } from '../contract/error-code.ts';
import {
  type CreateSnapshotRequest,
  type SnapshotManifest,
  type SnapshotTable,
  snapshotTypes,
  type TenantPart,
} from '../contract/snapshot.ts';
import type { ThawError } from '../contract/thaw-error.ts';
import type { ForeignKey } from '../postgres/foreign-keys.ts';
import { nameOf, type TableOrder } from '../snapshot/order/table-order.ts';

const count = z.int().min(0);
const time = z.iso.datetime();

/** A snapshot in lists. */
export const snapshotRecord = z
  .object({
    id: z.string(),
    name: z.string(),
    type: z.enum(snapshotTypes),
    database: z.string(),
    where: z
      .object({ column: z.string(), value: z.string() })
      .nullable()
      .openapi({ description: 'Whose rows it holds; null: whole tables.' }),
    tables: z.array(z.string()).openapi({ description: '`schema.table`' }),
    total_rows: count,
    bytes: count.openapi({ description: 'Of its files.' }),
    created_at: time.openapi({ description: 'The moment that all rows are of.' }),
    created_by: z.string(),
    expires_at: time.nullable(),
  })
  .openapi('Snapshot');
export type SnapshotRecord = z.output<typeof snapshotRecord>;

const heldTable = z.object({
  schema: z.string(),
  table: z.string(),
  kind: z.enum(['table', 'partitioned table']),
  key: z.array(z.string()).nullable().openapi({ description: 'What tells rows apart; null: nothing.' }),
  columns: z.array(z.object({ name: z.string(), type: z.string(), not_null: z.boolean() })),
  foreign_keys: z.array(z.object({ name: z.string(), definition: z.string() })),
  rows: count,
  bytes: count,
  parts: z.array(z.object({ key: z.string(), rows: count, bytes: count, sha256: z.string() })),
});

/** The states of a snapshot that was asked for. */
const snapshotStatuses = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const;

/** One snapshot, which may be on its way: then only what was asked for is known. */
export const snapshotDetail = z
  .object({
    ...snapshotRecord.shape,
    status: z.enum(snapshotStatuses),
    tables: snapshotRecord.shape.tables.openapi({
      description: 'Until it is taken: those that were asked for by name.',
    }),
    total_rows: count.nullable(),
    bytes: count.nullable(),
    server_version: z.string().nullable(),
    wal_lsn: z.string().nullable(),
    sha256: z.string().nullable().openapi({ description: 'Over all parts.' }),
    contents: z.array(heldTable).openapi({ description: 'What it holds of each table, without rows.' }),
    error: z
      .object({ code: z.enum(errorCodes), message: z.string(), hint: z.string() })
      .nullable()
      .openapi({ description: 'Why it failed.' }),
  })
  .openapi('SnapshotDetail');

/** Writes a snapshot as a record of a list. */
export function toSnapshotRecord(manifest: SnapshotManifest): SnapshotRecord {
  const { id, name, type, database, tenant, tables, totalRows, bytes } = manifest;
  return {
    ...{ id, name, type, database, bytes, where: whereJson(tenant), tables: tables.map(nameOf) },
    total_rows: totalRows,
    created_at: manifest.createdAt,
    created_by: manifest.createdBy,
    expires_at: manifest.expiresAt,
  };
}

/** Writes one that was taken. */
export function toSnapshotDetail(manifest: SnapshotManifest): z.output<typeof snapshotDetail> {
  return {
    ...toSnapshotRecord(manifest),
    status: 'completed',
    server_version: manifest.serverVersion,
    wal_lsn: manifest.walLsn,
    sha256: manifest.sha256,
    contents: manifest.tables.map(heldJson),
    error: null,
  };
}

/** Writes one that is being taken, or came to no good end. */
export function toTakingDetail(
  { id, name, type, database, tenant, tables, by }: CreateSnapshotRequest,
  { standing, createdAt }: SnapshotTaking,
  error: ThawError | null,
): z.output<typeof snapshotDetail> {
  return {
    ...{ id, name, type, database, where: whereJson(tenant), tables: tables.map(nameOf) },
    ...{ total_rows: null, bytes: null, server_version: null, wal_lsn: null, sha256: null, contents: [] },
    status: standing === 'broken' ? 'failed' : standing,
    created_at: createdAt.toISOString(),
    created_by: by,
    expires_at: null,
    error: error === null ? null : { code: error.code, message: error.message, hint: error.hint },
  };
}

function whereJson(tenant: TenantPart | null): SnapshotRecord['where'] {
  return tenant === null ? null : { column: tenant.column, value: tenant.value };
}

function heldJson(table: SnapshotTable): z.output<typeof heldTable> {
  const { schema, kind, key, columns, foreignKeys, rows, bytes, parts } = table;
  return {
    ...{ schema, table: table.table, kind, key: key === null ? null : [...key], rows, bytes },
    columns: columns.map(({ name, type, notNull }) => ({ name, type, not_null: notNull })),
    foreign_keys: foreignKeys.map(({ name, definition }) => ({ name, definition })),
    parts: parts.map((part) => ({ key: part.key, rows: part.rows, bytes: part.bytes, sha256: part.sha256 })),
  };
}

const foreignKey = z.object({
  name: z.string(),
  table: z.string(),
  refers_to: z.string(),
  deferrable: z.boolean(),
});

/** In which order tables are restored. */
export const orderJson = z
  .object({
    groups: z.array(z.array(z.string())).openapi({
      description:
        'Those that are referred to first; tables that refer to each other in a circle are one group.',
    }),
    foreign_keys: z.array(foreignKey),
    to_other_tables: z.array(foreignKey),
    of_other_tables: z.array(foreignKey),
  })
  .openapi('TableOrder');

/** Writes it. */
export function toOrderJson({ groups, inside, outward, inward }: TableOrder): z.output<typeof orderJson> {
  return {
    groups: groups.map((group) => group.map(nameOf)),
    foreign_keys: inside.map(keyJson),
    to_other_tables: outward.map(keyJson),
    of_other_tables: inward.map(keyJson),
  };
}

function keyJson({ name, child, parent, deferrable }: ForeignKey): z.output<typeof foreignKey> {
  return { name, table: nameOf(child), refers_to: nameOf(parent), deferrable };
}
