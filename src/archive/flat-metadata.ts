import { z } from 'zod';

const anything = z.unknown().optional();

const flatForm = z.object({
  version: z.string().startsWith('2.'),
  batch_info: z.undefined().optional(),
  database: anything,
  table: anything,
  // Columns, keys and indexes, or the name of the schema: the sketch has both under this key.
  schema: anything,
  schema_name: anything,
  batch_number: anything,
  record_count: anything,
  checksum: anything,
  file_size: z.object({ compressed: anything, uncompressed: anything }).nullish(),
  date_range: z.object({ start: anything, end: anything }).nullish(),
});

/**
 * The flat form that the archiver's requirements sketch as version 2.0, in the shape of the one that it writes.
 * Its only checksum is that of the uncompressed lines. Anything else comes back as it is.
 */
export function nestedMetadata(metadata: unknown): unknown {
  const flat = flatForm.safeParse(metadata);
  if (!flat.success) return metadata;
  const { database, table, schema, schema_name, batch_number, ...data } = flat.data;
  return {
    batch_info: { database, table, batch_number, schema: schema_name ?? (isText(schema) ? schema : null) },
    data_info: {
      record_count: data.record_count,
      uncompressed_size_bytes: data.file_size?.uncompressed,
      compressed_size_bytes: data.file_size?.compressed,
    },
    checksums: { jsonl_sha256: data.checksum },
    timestamp_range: { min: data.date_range?.start, max: data.date_range?.end },
    schema,
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
