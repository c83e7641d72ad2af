import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  type SnapshotForeignKey,
  type SnapshotManifest,
  type SnapshotPart,
  type SnapshotTable,
  snapshotTypes,
} from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';

const text = z.string();
const count = z.number().int().nonnegative();
const sha256 = text.regex(/^[0-9a-f]{64}$/, 'not a SHA-256 in hexadecimal');

const partForm = z
  .object({
    // A key that leads out of the folder of the snapshot is nobody's part.
    key: text.regex(/^[^/]+\/[^/]+$/, 'not a file of a table').refine((key) => !key.startsWith('.')),
    sha256,
    jsonl_sha256: sha256,
    rows: count,
    bytes: count,
  })
  .transform(({ jsonl_sha256: jsonlSha256, ...part }): SnapshotPart => ({ ...part, jsonlSha256 }));

const columnForm = z
  .object({
    name: text,
    type: text,
    not_null: z.boolean(),
    default: text.nullable(),
    identity: z.enum(['always', 'by default']).nullable(),
    generated: z.enum(['stored', 'virtual']).nullable(),
  })
  .transform(({ not_null: notNull, ...column }) => ({ ...column, notNull }));

const tableName = { schema: text.min(1), table: text.min(1) };

const foreignKeyForm = z
  .object({
    name: text,
    definition: text,
    columns: z.array(text),
    referenced: z.object(tableName),
    referenced_columns: z.array(text),
    deferrable: z.boolean(),
    validated: z.boolean(),
  })
  .transform(
    ({ referenced_columns: referencedColumns, ...key }): SnapshotForeignKey => ({
      ...key,
      referencedColumns,
    }),
  );

const tableForm = z
  .object({
    ...tableName,
    kind: z.enum(['table', 'partitioned table']),
    key: z.array(text).nullable(),
    columns: z.array(columnForm),
    foreign_keys: z.array(foreignKeyForm),
    rows: count,
    bytes: count,
    parts: z.array(partForm),
    whole: z.boolean().optional(),
  })
  .transform(
    ({ foreign_keys: foreignKeys, ...table }): SnapshotTable => ({
      ...table,
      foreignKeys,
    }),
  );

const manifestForm = z
  .object({
    version: z.literal('1.0'),
    encoding: z.literal('pg-text'),
    settings: z.record(text, text),
    id: text,
    name: text,
    type: z.enum(snapshotTypes),
    created_at: z.iso.datetime(),
    created_by: text,
    expires_at: z.iso.datetime().nullable(),
    database: text,
    server_version: text,
    wal_lsn: text,
    xact_snapshot: text
      .regex(/^\d+:\d+:[\d,]*$/)
      .nullable()
      .default(null),
    tenant: z.object({ column: text, value: text }).nullable(),
    tables: z.array(tableForm),
    total_rows: count,
    bytes: count,
    sha256,
  })
  .transform(
    ({ created_at, created_by, expires_at, server_version, wal_lsn, xact_snapshot, total_rows, ...rest }) =>
      ({
        ...rest,
        ...{ createdAt: created_at, createdBy: created_by, expiresAt: expires_at },
        ...{
          serverVersion: server_version,
          walLsn: wal_lsn,
          xactSnapshot: xact_snapshot,
          totalRows: total_rows,
        },
      }) satisfies SnapshotManifest,
  );

/** SHA-256 of all that a snapshot's parts are: of the key, SHA-256 and rows of each, a line each, in order. */
export function digestOfParts(tables: readonly Pick<SnapshotTable, 'parts'>[]): string {
  const digest = createHash('sha256');
  for (const { key, sha256: part, rows } of tables.flatMap(({ parts }) => parts))
    digest.update(`${key} ${part} ${rows}\n`);
  return digest.digest('hex');
}

/** The text of `manifest.json`. */
export function manifestText(manifest: SnapshotManifest): string {
  const {
    createdAt,
    createdBy,
    expiresAt,
    serverVersion,
    walLsn,
    xactSnapshot,
    totalRows,
    tables,
    bytes,
    ...rest
  } = manifest;
  const { sha256: digest, ...head } = rest;
  const file = {
    ...head,
    ...{ created_at: createdAt, created_by: createdBy, expires_at: expiresAt },
    ...{ server_version: serverVersion, wal_lsn: walLsn, xact_snapshot: xactSnapshot ?? null },
    tables: tables.map(({ foreignKeys, columns, parts, rows, bytes: size, ...table }) => ({
      ...table,
      columns: columns.map(({ notNull, ...column }) => ({ ...column, not_null: notNull })),
      foreign_keys: foreignKeys.map(({ referencedColumns, ...key }) => ({
        ...key,
        referenced_columns: referencedColumns,
      })),
      ...{ rows, bytes: size },
      parts: parts.map(({ jsonlSha256, ...part }) => ({ ...part, jsonl_sha256: jsonlSha256 })),
    })),
    ...{ total_rows: totalRows, bytes, sha256: digest },
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/**
 * Reads `manifest.json`, and sees that its sums are those of its parts.
 *
 * @param key of the manifest, for messages
 * @throws ThawError `MetadataInvalid`, which names the field that is wrong
 */
export function parseManifest(bytes: Uint8Array, key: string): SnapshotManifest {
  const parsed = manifestForm.safeParse(parseJson(bytes, key));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(key, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'wrong'}`);
  }
  const manifest = parsed.data;
  if (digestOfParts(manifest.tables) !== manifest.sha256)
    throw invalid(key, 'sha256 is not that of its parts');
  for (const { schema, table, rows, parts } of manifest.tables) {
    if (sum(parts) !== rows) throw invalid(key, `${schema}.${table} has not as many rows as its parts`);
  }
  if (sum(manifest.tables) !== manifest.totalRows)
    throw invalid(key, 'total_rows is not the sum of its tables');
  return manifest;
}

function sum(counted: readonly { readonly rows: number }[]): number {
  return counted.reduce((all, { rows }) => all + rows, 0);
}

function parseJson(bytes: Uint8Array, key: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw invalid(key, 'it is not JSON');
  }
}

function invalid(key: string, what: string): ThawError {
  return new ThawError('MetadataInvalid', `${key}: ${what}.`, {
    object: key,
    hint: 'Take another snapshot (`thaw snapshot list` shows what there is): this one is damaged.',
  });
}
