import type { ArchiveRef } from '../contract/activities.ts';

/** Up to this many archives of a table have a child each, however small they are. */
export const maxSingles = 32;

/** A pack never holds more archives than this. */
export const maxPackArchives = 250;

/** How packs are sized. */
export interface PackRule {
  /** Compressed bytes of a pack; 0: every archive is alone. */
  readonly packBytes: number;
  /** Archives in a pack, when given; wins over `packBytes`. */
  readonly commitFrequency: number | null;
}

/** Neighbours in archive order that are loaded together, in one transaction. */
export interface Load {
  /** Place of the first archive in archive order. */
  readonly firstOrdinal: number;
  readonly archives: readonly ArchiveRef[];
}

/**
 * Cuts archives, which come in archive order, into loads.
 *
 * A child workflow costs as much CPU as loading some 5,000 rows, so small neighbours share one;
 * an archive that fills a pack alone keeps its own.
 *
 * @param firstOrdinal place of the first of them
 */
export function formLoads(archives: readonly ArchiveRef[], firstOrdinal: number, rule: PackRule): Load[] {
  const loads: Load[] = [];
  let pack: ArchiveRef[] = [];
  let bytes = 0;
  const close = (next: number) => {
    if (pack.length > 0) loads.push({ firstOrdinal: next - pack.length, archives: pack });
    pack = [];
    bytes = 0;
  };
  archives.forEach((archive, index) => {
    if (!fits(pack.length, bytes + archive.bytes, rule)) close(firstOrdinal + index);
    pack.push(archive);
    bytes += archive.bytes;
  });
  close(firstOrdinal + archives.length);
  return loads;
}

function fits(archivesBefore: number, bytesWith: number, rule: PackRule): boolean {
  if (archivesBefore === 0) return true;
  if (archivesBefore >= maxPackArchives) return false;
  if (rule.commitFrequency !== null) return archivesBefore < rule.commitFrequency;
  return bytesWith <= rule.packBytes;
}

/** Names a load after its first and last archive: `2026-01-04_batch_061..102`, or without the dots when it is one. */
export function loadName(archives: readonly ArchiveRef[]): string {
  return shortened(rangeName(archives));
}

/**
 * A workflow id, which the name is a part of, has at most 1,000 bytes, and the names of database, schema
 * and table may take two thirds of them.
 */
const longestName = 100;

/** Both ends of a name tell more than its beginning alone. */
function shortened(name: string): string {
  const characters = [...name];
  if (characters.length <= longestName) return name;
  const half = longestName / 2;
  return `${characters.slice(0, half).join('')}…${characters.slice(1 - half).join('')}`;
}

function rangeName(archives: readonly ArchiveRef[]): string {
  const first = archives[0];
  const last = archives.at(-1);
  if (first === undefined || last === undefined) return 'empty';
  if (first === last) return shortName(first.name);
  const from = shortName(first.name);
  const to = shortName(last.name);
  const shared = from.lastIndexOf('_') + 1;
  return to.startsWith(from.slice(0, shared)) ? `${from}..${to.slice(shared)}` : `${from}..${to}`;
}

/**
 * A key without what all archives of a table share: the day and time of archiving and the batch.
 * A name of another form is kept whole.
 */
function shortName(name: string): string {
  const match = /(\d{4})(\d{2})(\d{2})T(\d{6})Z_batch_(\d+)\.[^/]*$/.exec(name);
  if (match === null) return name;
  const [, year, month, day, time, batch] = match;
  return `${year}-${month}-${day}T${time}_batch_${batch}`;
}
