import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ArchiveOptions, type Put, writeArchive } from '../test/harness/archive-writer.ts';
import { type AuditRow, archivedRow, auditRow, csvLine, database, table, tableSchema } from './audit-log.ts';

/** The shape of a set of archives. */
export interface SetShape {
  /** Runs of the archiver, each on a day of its own. */
  readonly runs: number;
  readonly archivesPerRun: number;
  readonly rowsPerArchive: number;
  /**
   * How far the batch numbers of a run begin behind those of the run before: the archiver goes on at a
   * checkpoint that it failed to delete. 0: each begins at 1.
   */
  readonly batchStep: number;
}

/** The sets: many small archives, and fewer large ones; about a million rows each. */
export const sets = {
  scale: { runs: 15, archivesPerRun: 69, rowsPerArchive: 1_000, batchStep: 60 },
  big: { runs: 10, archivesPerRun: 10, rowsPerArchive: 10_000, batchStep: 0 },
} as const satisfies Record<string, SetShape>;

export type SetName = keyof typeof sets;

/** Archives of a set. */
export function archiveCount(set: SetShape): number {
  return set.runs * set.archivesPerRun;
}

/** Rows of a set. */
export function rowCount(set: SetShape): number {
  return archiveCount(set) * set.rowsPerArchive;
}

/** What every key begins with. */
export const prefix = 'archives';

const firstRun = Date.UTC(2025, 3, 13, 12, 0, 1, 61);
const betweenRuns = 11.5 * 24 * 60 * 60 * 1000;
const betweenArchives = 90;

/** Compression runs in the thread pool; more than this at once would only hold more memory. */
const writesAtOnce = 4;

/**
 * Makes a set in one pass: its archives by `put`, and the same rows as a CSV file, as an expert would have
 * them ready for `\copy`.
 */
export async function generateSet(set: SetShape, put: Put, csvFile: string): Promise<void> {
  await pipeline(Readable.from(csvOfArchives(set, put)), createWriteStream(csvFile));
}

/** A `put` that writes objects as files of a folder, by their keys. */
export function putInto(folder: string): Put {
  return async (key, body) => {
    const file = path.join(folder, key);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, body);
  };
}

async function* csvOfArchives(set: SetShape, put: Put): AsyncGenerator<string> {
  const writing = new Set<Promise<void>>();
  for (let index = 0; index < archiveCount(set); index += 1) {
    const rows = archiveRows(set, index);
    const written = writeArchive(put, archiveOptions(set, index, rows)).then(() => {
      writing.delete(written);
    });
    writing.add(written);
    yield rows.map(csvLine).join('');
    if (writing.size >= writesAtOnce) await Promise.race(writing);
  }
  await Promise.all(writing);
}

function archiveRows(set: SetShape, index: number): AuditRow[] {
  const first = index * set.rowsPerArchive + 1;
  return Array.from({ length: set.rowsPerArchive }, (_, offset) => auditRow(first + offset));
}

function archiveOptions(set: SetShape, index: number, rows: readonly AuditRow[]): ArchiveOptions {
  const run = Math.floor(index / set.archivesPerRun);
  const inRun = index % set.archivesPerRun;
  return {
    prefix,
    database,
    table,
    archivedAt: new Date(firstRun + run * betweenRuns + inRun * betweenArchives),
    batch: run * set.batchStep + inRun + 1,
    rows: rows.map(archivedRow),
    primaryKey: 'id',
    timestampColumn: 'created_at',
    ...(inRun === 0 ? { tableSchema } : {}),
  };
}
