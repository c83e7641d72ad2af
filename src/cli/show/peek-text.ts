import { JsonNumber, JsonObject, type JsonValue } from '../../archive/json-value.ts';
import type { ArchivedColumn } from '../../archive/metadata.ts';
import { formatBytes, formatCount } from '../../restore/format.ts';
import { printable } from '../../restore/printable.ts';
import type { ArchivePeek, PeekedValue } from './archive-peek.ts';

/** What is seen of an archive, for people. */
export function peekLines(peek: ArchivePeek): string[] {
  return [
    ...metadataLines(peek),
    '',
    ...schemaLines(peek),
    ...peek.records.flatMap((record, place) => ['', `Record ${place + 1}`, ...valueLines(record)]),
    ...(peek.archiver.length === 0
      ? []
      : ['', "Archiver's columns, not restored", ...valueLines(peek.archiver)]),
  ];
}

function metadataLines({ archive, metadata }: ArchivePeek): string[] {
  const deleted =
    archive.manifestKey === null ? 'none: the rows may still be in the source' : archive.manifestKey;
  const head: [string, string][] = [
    ['Archive', archive.key],
    ['Metadata', archive.metadataKey ?? 'none: nothing tells whether it is whole'],
    ['Deletion manifest', deleted],
  ];
  if (metadata === null) return pairLines([...head, ['Bytes', formatBytes(archive.bytes)]]);
  const { database, schema, table, batchNumber, recordCount, uncompressedBytes, timestampRange } = metadata;
  const raw = uncompressedBytes === null ? '' : `, ${formatBytes(uncompressedBytes)} decompressed`;
  return pairLines([
    ...head,
    ['Table', `${schema}.${table} of ${database}`],
    ['Batch', String(batchNumber ?? '-')],
    ['Records', recordCount === null ? '-' : formatCount(recordCount)],
    ['Bytes', `${formatBytes(archive.bytes)}${raw}`],
    ['Times of the rows', `${timestampRange.min ?? '-'} to ${timestampRange.max ?? '-'}`],
    ['SHA-256, compressed', metadata.compressedSha256 ?? '-'],
    ['SHA-256, JSON lines', metadata.jsonlSha256 ?? '-'],
  ]);
}

function schemaLines({ archive, schema: source }: ArchivePeek): string[] {
  if (source === null) return ['Schema: neither this archive nor an earlier one of the table tells it'];
  const { schema, key } = source;
  const keyColumns = schema.primaryKey === null ? 'none' : schema.primaryKey.columns.join(', ');
  return [
    key === archive.key ? 'Schema' : `Schema, by ${key}`,
    ...pairLines(schema.columns.map((column) => [column.name, columnText(column)])),
    `  primary key: ${keyColumns}`,
  ];
}

/** `character varying(50) not null default 'x'` */
function columnText(column: ArchivedColumn): string {
  const { dataType, udtName, nullable } = column;
  const isNamed = dataType === 'USER-DEFINED' || dataType === 'ARRAY';
  const name = isNamed && udtName !== null ? udtName.replace(/^_(.*)/, '$1[]') : dataType;
  const length = column.characterMaximumLength === null ? '' : `(${column.characterMaximumLength})`;
  const isExact = dataType === 'numeric' && column.numericPrecision !== null;
  const digits = isExact ? `(${column.numericPrecision},${column.numericScale ?? 0})` : '';
  const fallback = column.default === null ? '' : ` default ${column.default}`;
  return `${name}${length}${digits}${nullable ? '' : ' not null'}${fallback}`;
}

function valueLines(values: readonly PeekedValue[]): string[] {
  return pairLines(values.map(({ key, lexeme }) => [key, lexeme]));
}

function pairLines(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...pairs.map(([name]) => printable(name).length));
  return pairs.map(([name, text]) => `  ${printable(name).padEnd(width)}  ${printable(text)}`);
}

/** What is seen of an archive, as one JSON object. Numbers keep all their digits; NaN and Infinity are strings. */
export function peekJson({ archive, metadata, schema, archiver, records }: ArchivePeek): string {
  const head = JSON.stringify({
    key: archive.key,
    bytes: archive.bytes,
    metadataKey: archive.metadataKey,
    manifestKey: archive.manifestKey,
    metadata: metadata === null ? null : withoutSchema(metadata),
    schema: schema?.schema ?? null,
    schemaFrom: schema?.key ?? null,
  });
  const list = records.map(recordJson).join(',');
  return `${head.slice(0, -1)},"archiver":${recordJson(archiver)},"records":[${list}]}`;
}

function withoutSchema({ tableSchema: _, ...metadata }: NonNullable<ArchivePeek['metadata']>) {
  return metadata;
}

function recordJson(values: readonly PeekedValue[]): string {
  return `{${values.map(({ key, value }) => `${JSON.stringify(key)}:${valueJson(value)}`).join(',')}}`;
}

function valueJson(value: JsonValue): string {
  if (value instanceof JsonNumber)
    return /[NI]/.test(value.lexeme) ? JSON.stringify(value.lexeme) : value.lexeme;
  if (value instanceof JsonObject) return value.text;
  if (Array.isArray(value)) return `[${value.map(valueJson).join(',')}]`;
  return JSON.stringify(value);
}
