import { createHash } from 'node:crypto';
import type { SnapshotManifest } from '../../contract/snapshot.ts';
import type { TableFacts } from '../../postgres/snapshot-tables.ts';
import type { WrittenPart } from './write-part.ts';

/** What the metadata of a part is about. */
export interface PartFacts {
  readonly database: string;
  /** ISO 8601 */
  readonly at: string;
  readonly table: TableFacts;
  /** 1 for the first. */
  readonly number: number;
  readonly part: WrittenPart;
  readonly settings: SnapshotManifest['settings'];
}

/**
 * The text of `.metadata.json` beside a part: that of a row archive, version 1.0, and how its values are encoded. The
 * columns are told beside the first part only, as the archiver does.
 */
export function partMetadata({ database, at, table, number, part, settings }: PartFacts): string {
  const name = `${database}_${table.table}_${number}`;
  const saved = part.jsonlBytes === 0 ? 0 : (1 - part.bytes / part.jsonlBytes) * 100;
  const metadata = {
    version: '1.0',
    encoding: 'pg-text',
    settings,
    batch_info: {
      ...{ database, schema: table.schema, table: table.table, batch_number: number },
      ...{ batch_id: createHash('sha256').update(name).digest('hex').slice(0, 16), archived_at: at },
    },
    data_info: {
      record_count: part.rows,
      uncompressed_size_bytes: part.jsonlBytes,
      compressed_size_bytes: part.bytes,
      compression_ratio: Number(saved.toFixed(2)),
    },
    checksums: { jsonl_sha256: part.jsonlSha256, compressed_sha256: part.sha256 },
    ...(number === 1 && { table_schema: tableSchema(table) }),
  };
  return `${JSON.stringify(metadata, null, 2)}\n`;
}

function tableSchema({ schema, table, columns, key, foreignKeys }: TableFacts): object {
  return {
    table_name: table,
    schema_name: schema,
    columns: columns.map(({ name, type, notNull, default: value }, place) => ({
      ...{ name, data_type: type, is_nullable: !notNull, default: value, ordinal_position: place + 1 },
    })),
    primary_key: key === null ? null : { constraint_name: null, columns: key },
    foreign_keys: foreignKeys.map(({ name, columns: from, referenced, referencedColumns }) => ({
      ...{ constraint_name: name, columns: from, referenced_schema: referenced.schema },
      ...{ referenced_table: referenced.table, referenced_columns: referencedColumns },
    })),
  };
}
