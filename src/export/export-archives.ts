import { readArchive } from '../archive/decompress.ts';
import { RestartNested } from '../archive/slice-error.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { verifyChecksums, verifyCount } from '../load/verify.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { findArchivedSchema, readMetadata } from '../validate/archived-schema.ts';
import type { FoundArchive } from '../validate/inventory.ts';
import { columnsOfSchema } from './export-columns.ts';
import type { ExportTarget } from './export-target.ts';
import { RecordReader } from './record-reader.ts';
import { CopyWriter, CsvWriter, type ExportFormat, JsonLinesWriter, type RowWriter } from './row-writer.ts';

/** What is exported, and where to. */
export interface ExportJob {
  readonly store: ObjectStore;
  /** In the order of the rows. */
  readonly archives: readonly FoundArchive[];
  readonly format: ExportFormat;
  /** Columns to leave out, such as generated ones. */
  readonly left: ReadonlySet<string>;
  readonly target: ExportTarget;
  readonly signal: AbortSignal;
}

/** What was exported. */
export interface Exported {
  readonly rows: number;
  /** Names, for a format that has them; null where there was no row to tell them. */
  readonly columns: readonly string[] | null;
  /** Archives that have no metadata, and so nothing to be compared with. */
  readonly unverified: readonly string[];
}

/**
 * Writes the rows of archives to the target. Each archive is compared with its metadata at its end, so
 * what was written may be used only once this returns.
 *
 * @throws ThawError `ChecksumMismatch`, `CountMismatch`, `ArchiveCorrupt`, `RowRejected`, and what the store throws
 */
export async function exportArchives(job: ExportJob): Promise<Exported> {
  for (const nested = new Set<string>(); ; ) {
    try {
      return await exportOnce(job, nested);
    } catch (error) {
      if (!(error instanceof RestartNested)) throw error;
      if (!(await job.target.restart())) throw knownTooLate(error.column);
      nested.add(error.column);
    }
  }
}

async function exportOnce(job: ExportJob, nested: ReadonlySet<string>): Promise<Exported> {
  const [first] = job.archives;
  let rows = 0;
  const unverified: string[] = [];
  if (first === undefined) return { rows, columns: null, unverified };
  const writer = await openWriter(job, first, nested);
  for (const archive of job.archives) {
    const metadata = await readMetadata(job.store, archive);
    const { key, etag } = archive;
    if (metadata === null) unverified.push(key);
    const body = await job.store.open(key, { etag, signal: job.signal });
    const content = readArchive(body.chunks, { archive: key, digest: true });
    const reader = new RecordReader(key, job.left);
    const take: RowWriter['write'] = (json, parts) => writer.write(json, parts);
    const rest = content.chunks[Symbol.asyncIterator]();
    const verified = { ...content, key, metadata };
    try {
      for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
        reader.push(next.value, take);
        await job.target.write(writer.take());
      }
      reader.end(take);
    } catch (error) {
      // An error within an archive whose checksum is wrong is the fault of its bytes.
      if (error instanceof ThawError && !error.retryable)
        await readOut(rest, () => verifyChecksums(verified));
      throw error;
    }
    await job.target.write(writer.take());
    verifyChecksums(verified);
    verifyCount(verified, reader.records);
    rows += reader.records;
  }
  return { rows, columns: writer.columns, unverified };
}

async function readOut(rest: AsyncIterator<Buffer>, verify: () => void): Promise<void> {
  try {
    while ((await rest.next()).done !== true);
  } catch {
    // What ends the bytes early is the error at hand, or follows from it.
  }
  verify();
}

async function openWriter(
  { format, store, left }: ExportJob,
  first: FoundArchive,
  nested: ReadonlySet<string>,
): Promise<RowWriter> {
  if (format === 'jsonl') return new JsonLinesWriter();
  const found = await findArchivedSchema(store, first, await readMetadata(store, first));
  const columns = found === null ? null : columnsOfSchema(found.schema, left, nested);
  return format === 'csv' ? new CsvWriter(columns) : new CopyWriter(columns);
}

function knownTooLate(column: string): ThawError {
  return new ThawError(
    'SchemaIncompatible',
    `Column ${column} holds nested JSON, which shows only after strings of it were written as JSON text.`,
    { stage: 'slice', hint: 'Export to a file with --output, which can be begun anew.' },
  );
}
