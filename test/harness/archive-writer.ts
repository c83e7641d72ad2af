import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip as gzipCallback } from 'node:zlib';

/** A JSON value that is written exactly as given; see {@link raw}. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * A value by its own JSON text, for lexemes that JavaScript cannot hold or would write otherwise:
 * `raw('9007199254740993.10')`, `raw('1e-07')`, `raw('NaN')`, or something broken on purpose.
 */
export function raw(text: string): RawJson {
  return new RawJson(text);
}

/** A value as archived. A bigint becomes an integer; NaN and ±Infinity the bare tokens that Python writes. */
export type ArchivedValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | RawJson
  | readonly ArchivedValue[]
  | { readonly [key: string]: ArchivedValue };

/** A row as archived, without the archiver's own four keys. */
export type ArchivedRow = Readonly<Record<string, ArchivedValue>>;

/**
 * Damage for fault tests. Bytes that are flipped or cut lie under checksums of the good ones; a wrong
 * record count or checksum lies beside good bytes.
 */
export type Damage =
  | 'flipped-byte'
  | 'truncated'
  | 'record-count'
  | 'jsonl-sha256'
  | 'compressed-sha256'
  | 'no-metadata';

/** Puts an object into a store. */
export type Put = (key: string, body: Buffer) => Promise<void>;

/** An archive to write. */
export interface ArchiveOptions {
  /** Without trailing slash; may be empty. @default 'archives' */
  readonly prefix?: string;
  readonly database: string;
  /** @default 'public' */
  readonly schema?: string;
  readonly table: string;
  /** When it was archived: names day and file. A string, for microseconds: `2026-01-04T05:20:21.123456+00:00`. */
  readonly archivedAt: Date | string;
  /** @default 1 */
  readonly batch?: number;
  readonly rows: Iterable<ArchivedRow>;
  /** Column whose values metadata and manifest list. */
  readonly primaryKey: string;
  /** Column that `timestamp_range` tells of. */
  readonly timestampColumn?: string;
  /** `table_schema` of the metadata; the archiver writes it with the first batch of a run only. */
  readonly tableSchema?: ArchivedValue;
  /** Compression level. @default 6 */
  readonly level?: number;
  /** false: an orphan, whose rows were uploaded but not deleted. @default true */
  readonly manifest?: boolean;
  readonly corrupt?: Damage;
}

/** An archive that was written. */
export interface WrittenArchive {
  readonly key: string;
  readonly metadataKey: string;
  readonly manifestKey: string;
  readonly batchId: string;
  /** Rows that it holds, whatever its metadata says. */
  readonly rows: number;
  readonly jsonlBytes: number;
  readonly compressedBytes: number;
}

const gzip = promisify(gzipCallback);

/** Writes an archive as the archiver does: data, then metadata, then the manifest of the deletion. */
export async function writeArchive(put: Put, options: ArchiveOptions): Promise<WrittenArchive> {
  const archivedAt = pythonTime(options.archivedAt);
  const batch = options.batch ?? 1;
  const batchId = sha256(`${options.database}_${options.table}_${batch}`).slice(0, 16);
  const stem = objectStem(options, archivedAt, batch);
  const content = readRows(options, archivedAt, batchId);
  const jsonl = Buffer.from(content.lines.join('\n'));
  const compressed = await gzipLikePython(jsonl, archivedAt, options.level ?? 6);
  const identity = {
    database: options.database,
    schema: options.schema ?? 'public',
    table: options.table,
    batch_number: batch,
    batch_id: batchId,
  };

  const metadata = {
    version: '1.0',
    batch_info: { ...identity, archived_at: archivedAt },
    data_info: {
      record_count: content.lines.length + (options.corrupt === 'record-count' ? 1 : 0),
      uncompressed_size_bytes: jsonl.length,
      compressed_size_bytes: compressed.length,
      compression_ratio: pythonFloat((1 - compressed.length / jsonl.length) * 100),
    },
    checksums: {
      jsonl_sha256: options.corrupt === 'jsonl-sha256' ? sha256('other') : sha256(jsonl),
      compressed_sha256: options.corrupt === 'compressed-sha256' ? sha256('other') : sha256(compressed),
    },
    primary_keys: { count: content.keys.length, sample: content.keys.slice(0, 10) },
    ...(options.timestampColumn === undefined ? {} : { timestamp_range: content.range }),
    ...(options.tableSchema === undefined ? {} : { table_schema: options.tableSchema }),
  };
  const manifest = {
    version: '1.0',
    manifest_info: { ...identity, primary_key_column: options.primaryKey, deleted_at: archivedAt },
    deletion_info: {
      expected_count: content.lines.length,
      deleted_count: content.lines.length,
      primary_keys_count: content.keys.length,
    },
    primary_keys: content.keys,
  };

  const written = {
    key: `${stem}.jsonl.gz`,
    metadataKey: `${stem}.metadata.json`,
    manifestKey: `${stem}.manifest.json`,
  };
  await put(written.key, damaged(compressed, options.corrupt));
  if (options.corrupt !== 'no-metadata') {
    await put(written.metadataKey, sidecar(metadata));
  }
  if (options.manifest ?? true) await put(written.manifestKey, sidecar(manifest));
  const sizes = { jsonlBytes: jsonl.length, compressedBytes: compressed.length };
  return { ...written, batchId, rows: content.lines.length, ...sizes };
}

/**
 * JSON as Python's `json.dumps(value, ensure_ascii=False, indent=…)` writes it.
 *
 * @param indent spaces of each level; null: one line, with `", "` and `": "`
 */
export function pythonJson(value: ArchivedValue, indent: number | null = null, depth = 0): string {
  if (value instanceof RawJson) return value.text;
  if (value === null || typeof value !== 'object') {
    return typeof value === 'string' ? JSON.stringify(value) : String(value);
  }
  const isArray = Array.isArray(value);
  const items = isArray
    ? value.map((item: ArchivedValue) => pythonJson(item, indent, depth + 1))
    : Object.entries(value).map(
        ([key, item]) => `${JSON.stringify(key)}: ${pythonJson(item as ArchivedValue, indent, depth + 1)}`,
      );
  const [open, close] = isArray ? '[]' : '{}';
  if (indent === null || items.length === 0) return `${open}${items.join(', ')}${close}`;
  const margin = `\n${' '.repeat(indent * depth)}`;
  const inner = `${margin}${' '.repeat(indent)}`;
  return `${open}${inner}${items.join(`,${inner}`)}${margin}${close}`;
}

interface Content {
  readonly lines: string[];
  readonly keys: ArchivedValue[];
  readonly range: { readonly min: string | null; readonly max: string | null };
}

function readRows(options: ArchiveOptions, archivedAt: string, batchId: string): Content {
  const own = pythonJson({
    // The archiver appends a Z to a time that has its offset already.
    _archived_at: `${archivedAt}Z`,
    _batch_id: batchId,
    _source_database: options.database,
    _source_table: options.table,
  }).slice(1);
  const lines: string[] = [];
  const keys: ArchivedValue[] = [];
  let min: string | null = null;
  let max: string | null = null;
  for (const row of options.rows) {
    const line = pythonJson(row);
    lines.push(line === '{}' ? `{${own}` : `${line.slice(0, -1)}, ${own}`);
    keys.push(row[options.primaryKey] ?? null);
    const value = row[options.timestampColumn ?? ''];
    if (typeof value !== 'string') continue;
    // The archiver adds the Z of a time without zone only in the data; without it, text sorts as time.
    const time = value.replace(/Z$/, '');
    if (min === null || time < min) min = time;
    if (max === null || time > max) max = time;
  }
  return { lines, keys, range: { min, max } };
}

/** `P/{db}/{table}/year=YYYY/month=MM/day=DD/{table}_{YYYYMMDDTHHMMSSZ}_batch_{NNN}` */
function objectStem(options: ArchiveOptions, archivedAt: string, batch: number): string {
  const [year, month, day] = archivedAt.slice(0, 10).split('-');
  const second = `${archivedAt.slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  const prefix = options.prefix ?? 'archives';
  return [
    ...(prefix === '' ? [] : [prefix]),
    ...[options.database, options.table, `year=${year}`, `month=${month}`, `day=${day}`],
    `${options.table}_${second}_batch_${String(batch).padStart(3, '0')}`,
  ].join('/');
}

/** Metadata and manifest, unlike the data, escape all but ASCII. */
function sidecar(value: ArchivedValue): Buffer {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return Buffer.from(pythonJson(value, 2).replaceAll(/[\u0080-\uffff]/g, escaped));
}

/** One member, with the time and the unknown system in its header that Python writes. */
async function gzipLikePython(jsonl: Buffer, archivedAt: string, level: number): Promise<Buffer> {
  const bytes = await gzip(jsonl, { level });
  bytes.writeUInt32LE(Math.floor(Date.parse(archivedAt) / 1000), 4);
  bytes[9] = 0xff;
  return bytes;
}

function damaged(bytes: Buffer, damage: Damage | undefined): Buffer {
  if (damage === 'truncated') return bytes.subarray(0, Math.floor(bytes.length / 2));
  if (damage !== 'flipped-byte') return bytes;
  const copy = Buffer.from(bytes);
  const middle = Math.floor(copy.length / 2);
  copy.writeUInt8(copy.readUInt8(middle) ^ 0xff, middle);
  return copy;
}

/** `isoformat()` of an aware UTC time: microseconds only where there are some. */
function pythonTime(time: Date | string): string {
  if (typeof time === 'string') return time;
  const text = time.toISOString();
  return `${text.slice(0, 19)}${text.endsWith('.000Z') ? '' : `${text.slice(19, 23)}000`}+00:00`;
}

/** Python writes the fraction of a float even when there is none. */
function pythonFloat(value: number): RawJson {
  return raw(Number.isInteger(value) ? value.toFixed(1) : String(value));
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
