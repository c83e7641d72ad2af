/** What the key of an archive tells. */
export interface ArchiveKey {
  /** The day it was archived, `YYYY-MM-DD`: of the folders, else of the timestamp in the name; null if neither is there. */
  readonly day: string | null;
  /** The moment its run began, `YYYYMMDDTHHMMSSZ`; null if the name has none. */
  readonly timestamp: string | null;
  /** The number of the batch; null if the name has none. */
  readonly batch: number | null;
  /** The table, as the name begins with it; null if the name is not one of the archiver's. */
  readonly table: string | null;
}

/** Where an archive belongs, by its key. */
export interface ArchivedTable {
  readonly database: string;
  readonly table: string;
  /** Where the key names it: most do not. */
  readonly schema: string | null;
}

/** Rows of a snapshot, which lie beside the archives. */
const snapshotPart = /^snapshots\/[^/]+\/[^/]+\.[^/]+\/part-\d+\.jsonl\.gz$/;
const dataObject = /\.jsonl(?:\.gz|\.zst)?$/;
const archiveName = /^(.*)_(\d{8}T\d{6}Z)_batch_(\d+)\.jsonl(?:\.gz|\.zst)?$/;
const namedFolders = /(?:^|\/)year=(\d{4})\/month=(\d{1,2})\/day=(\d{1,2})\//;
const plainFolders = /(?:^|\/)(\d{4})\/(\d{2})\/(\d{2})\//;
const dayInName = /(?:^|_)(\d{4})(\d{2})(\d{2})T\d{6}/;

/** Tells whether an object is an archive by its key, and not its metadata, a manifest, a watermark or a checkpoint. */
export function isArchiveKey(key: string): boolean {
  const name = nameOf(key);
  return dataObject.test(name) && !name.startsWith('.');
}

/** Reads an archive's key, with or without prefix and folders. */
export function parseArchiveKey(key: string): ArchiveKey {
  const [, table = null, timestamp = null, batch = null] = archiveName.exec(nameOf(key)) ?? [];
  return { day: dayOf(key), timestamp, batch: batch === null ? null : Number(batch), table };
}

function dayOf(key: string): string | null {
  for (const form of [namedFolders, plainFolders]) {
    const day = toDay(form.exec(key));
    if (day !== null) return day;
  }
  return toDay(dayInName.exec(nameOf(key)));
}

function toDay(match: RegExpExecArray | null): string | null {
  const [, year, month = '', date = ''] = match ?? [];
  if (year === undefined) return null;
  const day = `${year}-${month.padStart(2, '0')}-${date.padStart(2, '0')}`;
  // A day that the calendar does not have is none.
  const parsed = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(day) ? day : null;
}

/** The keys under which an archive's metadata may lie, in the order to try them. */
export function metadataKeys(dataKey: string): string[] {
  return [`${dataKey.replace(dataObject, '')}.metadata.json`, `${dataKey}.metadata.json`];
}

/**
 * The order in which archives were made, for `sort`: by the moment of the run, then by the batch as a
 * number, since `batch_1000` comes before `batch_101` in a listing, then by the bytes of the key. One
 * whose name has no timestamp counts as made when its day began, one without any day comes first.
 */
export function compareArchiveOrder(a: string, b: string): number {
  return compareRanks(rankOf(a), rankOf(b));
}

/** Things that have a key, in archive order. Reads each key once, which `compareArchiveOrder` does at every step of a sort. */
export function inArchiveOrder<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, rank: rankOf(keyOf(item)) }))
    .sort((first, second) => compareRanks(first.rank, second.rank))
    .map(({ item }) => item);
}

interface Rank {
  readonly moment: string;
  readonly batch: number;
  readonly key: string;
}

function rankOf(key: string): Rank {
  const parsed = parseArchiveKey(key);
  return { moment: momentOf(parsed), batch: parsed.batch ?? -1, key };
}

function compareRanks(first: Rank, second: Rank): number {
  return (
    compare(first.moment, second.moment) ||
    first.batch - second.batch ||
    Buffer.compare(Buffer.from(first.key), Buffer.from(second.key))
  );
}

/** As text that sorts like the moments do. */
function momentOf(key: ArchiveKey): string {
  return key.timestamp ?? key.day?.replaceAll('-', '') ?? '';
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The folder that all archives of a table lie in. Ends in `/`: without it a sibling whose name begins with the table's would be in it too. */
export function tablePrefix(prefix: string, database: string, table: string): string {
  return `${folderOf(prefix)}${database}/${table}/`;
}

/**
 * Where the archives of a table may lie: `{database}/{table}/`, as the archiver writes, and
 * `{database}/{schema}/{table}/`, which its own reader takes as well.
 */
export function tableFolders(prefix: string, database: string, table: string, schema: string): string[] {
  return [tablePrefix(prefix, database, table), tablePrefix(prefix, database, `${schema}/${table}`)];
}

/** The database and table that a key names, given the prefix of the configuration; null if it names none. */
export function tableOfKey(key: string, prefix: string): ArchivedTable | null {
  const folder = folderOf(prefix);
  const path = key.startsWith(folder) ? key.slice(folder.length) : key;
  const [database = '', second = '', third = ''] = path.split('/').slice(0, -1);
  if (database === '' || second === '' || snapshotPart.test(path)) return null;
  // A folder below the first one is a table where the archive is named after it; below `public` any is that is no day.
  const isBelow = third !== '' && !/^(year=\d+|\d{4})$/.test(third);
  const isSchema =
    isBelow && (second === 'public' || (second !== third && parseArchiveKey(key).table === third));
  return isSchema ? { database, table: third, schema: second } : { database, table: second, schema: null };
}

/** A prefix with one slash at its end; empty if there is none. */
function folderOf(prefix: string): string {
  const trimmed = prefix.replace(/\/+$/, '');
  return trimmed === '' ? '' : `${trimmed}/`;
}

function nameOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}
