import { z } from 'zod';
import { ThawError } from '../contract/thaw-error.ts';
import { nestedMetadata } from './flat-metadata.ts';
import { parsePythonJson } from './python-json.ts';

/** A column as it was when the table was archived. */
export interface ArchivedColumn {
  readonly name: string;
  /** As information_schema has it: `bigint`, `ARRAY`, `USER-DEFINED`. */
  readonly dataType: string;
  /** `pg_type.typname`, such as `int8`, `_text` or an enum's name; null if the metadata has none. */
  readonly udtName: string | null;
  readonly characterMaximumLength: number | null;
  readonly numericPrecision: number | null;
  readonly numericScale: number | null;
  readonly nullable: boolean;
  /** The default as SQL; null for none. */
  readonly default: string | null;
  /** 1-based; by place in the list if the metadata has none. */
  readonly ordinal: number;
}

/** A primary key or unique constraint as archived. */
export interface ArchivedKey {
  /** Null if the metadata has none. */
  readonly name: string | null;
  readonly columns: readonly string[];
}

export interface ArchivedForeignKey extends ArchivedKey {
  readonly referencedSchema: string;
  readonly referencedTable: string;
  readonly referencedColumns: readonly string[];
}

export interface ArchivedIndex {
  readonly name: string;
  /** `CREATE INDEX …`; null if the metadata only names the columns. */
  readonly definition: string | null;
  readonly columns: readonly string[];
  readonly unique: boolean;
}

export interface ArchivedCheck {
  readonly name: string | null;
  readonly clause: string;
}

/** A table as it was when it was archived. */
export interface ArchivedSchema {
  /** In the order of the table. */
  readonly columns: readonly ArchivedColumn[];
  readonly primaryKey: ArchivedKey | null;
  readonly foreignKeys: readonly ArchivedForeignKey[];
  /** Without that of the primary key. */
  readonly indexes: readonly ArchivedIndex[];
  readonly checks: readonly ArchivedCheck[];
  readonly uniques: readonly ArchivedKey[];
}

/** What the metadata beside an archive says of it. */
export interface ArchiveMetadata {
  readonly database: string;
  /** @default 'public' */
  readonly schema: string;
  readonly table: string;
  readonly batchNumber: number | null;
  readonly recordCount: number | null;
  readonly uncompressedBytes: number | null;
  readonly compressedBytes: number | null;
  /** Lower-case hexadecimal; null: not to be checked. */
  readonly jsonlSha256: string | null;
  /** Lower-case hexadecimal; null: not to be checked. */
  readonly compressedSha256: string | null;
  /** ISO 8601; of the column that the table is archived by. */
  readonly timestampRange: { readonly min: string | null; readonly max: string | null };
  /** Only the first batch of a run of the archiver has it. */
  readonly tableSchema: ArchivedSchema | null;
}

const text = z.string();
const orNull = <T extends z.ZodType>(type: T) => type.nullish().transform((value) => value ?? null);
const count = orNull(z.number().int().nonnegative());
const names = z.array(text);
const listOf = <T extends z.ZodType>(type: T) =>
  z
    .array(type)
    .nullish()
    .transform((list) => list ?? []);

const sha256 = orNull(
  text
    .transform((digest) =>
      digest
        .trim()
        .toLowerCase()
        .replace(/^sha256:/, ''),
    )
    .pipe(text.regex(/^[0-9a-f]{64}$/, 'not a SHA-256 in hexadecimal')),
);

const columnForm = z
  .object({
    name: text.min(1),
    data_type: text.optional(),
    type: text.optional(),
    udt_name: orNull(text),
    character_maximum_length: count,
    numeric_precision: count,
    numeric_scale: orNull(z.number().int()),
    is_nullable: z.boolean().optional(),
    nullable: z.boolean().optional(),
    default: orNull(text),
    ordinal_position: orNull(z.number().int().positive()),
  })
  .refine((column) => column.data_type !== undefined || column.type !== undefined, {
    path: ['data_type'],
    message: 'missing',
  });

// The archiver has an object with a name; its requirements sketch a mere list.
const keyForm = z.union([
  z
    .object({ constraint_name: orNull(text), columns: names })
    .transform(({ constraint_name, columns }): ArchivedKey => ({ name: constraint_name, columns })),
  names.transform((columns): ArchivedKey => ({ name: null, columns })),
]);

const foreignKeyForm = z
  .object({
    constraint_name: orNull(text),
    columns: names,
    referenced_schema: text.default('public'),
    referenced_table: text,
    referenced_columns: names,
  })
  .transform(
    (key): ArchivedForeignKey => ({
      name: key.constraint_name,
      columns: key.columns,
      referencedSchema: key.referenced_schema,
      referencedTable: key.referenced_table,
      referencedColumns: key.referenced_columns,
    }),
  );

const indexForm = z
  .object({
    name: text,
    definition: orNull(text),
    columns: names.default([]),
    is_unique: z.boolean().default(false),
  })
  .transform(
    ({ name, definition, columns, is_unique }): ArchivedIndex => ({
      name,
      definition,
      columns,
      unique: is_unique,
    }),
  );

const checkForm = z.object({ constraint_name: orNull(text), check_clause: text }).transform(
  ({ constraint_name, check_clause }): ArchivedCheck => ({
    name: constraint_name,
    clause: check_clause,
  }),
);

const schemaForm = z
  .object({
    columns: z.array(columnForm),
    primary_key: orNull(keyForm),
    foreign_keys: listOf(foreignKeyForm),
    indexes: listOf(indexForm),
    check_constraints: listOf(checkForm),
    unique_constraints: listOf(keyForm),
  })
  .transform(
    (schema): ArchivedSchema => ({
      columns: schema.columns.map(toColumn).toSorted((first, second) => first.ordinal - second.ordinal),
      primaryKey: schema.primary_key,
      foreignKeys: schema.foreign_keys,
      indexes: schema.indexes,
      checks: schema.check_constraints,
      uniques: schema.unique_constraints,
    }),
  );

function toColumn(column: z.output<typeof columnForm>, index: number): ArchivedColumn {
  return {
    name: column.name,
    dataType: column.data_type ?? column.type ?? '',
    udtName: column.udt_name,
    characterMaximumLength: column.character_maximum_length,
    numericPrecision: column.numeric_precision,
    numericScale: column.numeric_scale,
    nullable: column.is_nullable ?? column.nullable ?? true,
    default: column.default,
    ordinal: column.ordinal_position ?? index + 1,
  };
}

const metadataForm = z.object({
  batch_info: z
    .object({
      database: text.optional(),
      database_name: text.optional(),
      schema: orNull(text),
      schema_name: orNull(text),
      table: text.optional(),
      table_name: text.optional(),
      batch_number: orNull(z.number().int()),
    })
    .refine((info) => (info.database ?? info.database_name) !== undefined, {
      path: ['database'],
      message: 'missing',
    })
    .refine((info) => (info.table ?? info.table_name) !== undefined, {
      path: ['table'],
      message: 'missing',
    }),
  data_info: z.object({
    record_count: count,
    uncompressed_size_bytes: count,
    compressed_size_bytes: count,
  }),
  checksums: orNull(z.object({ jsonl_sha256: sha256, compressed_sha256: sha256 })),
  timestamp_range: orNull(z.object({ min: orNull(text), max: orNull(text) })),
  table_schema: orNull(schemaForm),
  schema: z.union([schemaForm, z.unknown().transform(() => null)]).optional(),
});

/**
 * Reads the metadata of an archive, in any form that the archiver's own reader takes.
 *
 * @param key of the metadata, for messages
 * @throws ThawError `MetadataInvalid`, which names the field that is wrong
 */
export function parseMetadata(bytes: Uint8Array, key: string): ArchiveMetadata {
  const parsed = metadataForm.safeParse(nestedMetadata(parseJson(bytes, key)));
  if (!parsed.success) throw invalid(key, describe(parsed.error));
  const {
    batch_info: batch,
    data_info: data,
    checksums,
    timestamp_range,
    table_schema,
    schema,
  } = parsed.data;
  return {
    database: batch.database ?? batch.database_name ?? '',
    schema: batch.schema ?? batch.schema_name ?? 'public',
    table: batch.table ?? batch.table_name ?? '',
    batchNumber: batch.batch_number,
    recordCount: data.record_count,
    uncompressedBytes: data.uncompressed_size_bytes,
    compressedBytes: data.compressed_size_bytes,
    jsonlSha256: checksums?.jsonl_sha256 ?? null,
    compressedSha256: checksums?.compressed_sha256 ?? null,
    timestampRange: timestamp_range ?? { min: null, max: null },
    tableSchema: table_schema ?? schema ?? null,
  };
}

function parseJson(bytes: Uint8Array, key: string): unknown {
  try {
    return parsePythonJson(bytes);
  } catch {
    // The cause would quote from the file.
    throw invalid(key, 'it is not JSON');
  }
}

/** The first thing that is wrong: `data_info.record_count: expected number`. */
function describe(error: z.ZodError): string {
  const issue = error.issues[0];
  const path = issue?.path.join('.') ?? '';
  return path === '' ? 'it is no object' : `${path}: ${issue?.message ?? 'wrong'}`;
}

function invalid(key: string, what: string): ThawError {
  return new ThawError('MetadataInvalid', `${key}: ${what}.`, { object: key, stage: 'metadata' });
}
