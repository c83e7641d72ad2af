import { buffer } from 'node:stream/consumers';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ObjectInfo } from '../../store/object-store.ts';
import { openWrapped } from '../format/open-wrapped.ts';
import { walHint } from './hints.ts';
import { objectsOf, type Place } from './place.ts';

/** What lies in an archive of WAL, from the segment that a backup begins in. */
export interface WalArchive {
  /** Segments by name; whole ones before those that pg_receivewal was still writing. */
  readonly segments: ReadonlyMap<string, ObjectInfo>;
  /** Histories of timelines by number. */
  readonly histories: ReadonlyMap<number, ObjectInfo>;
  /** What PostgreSQL archived at the end of the backup; null where it is not there. */
  readonly backupEnd: ObjectInfo | null;
  /** Whether there is any WAL, also older than that. */
  readonly isEmpty: boolean;
}

const walFile = /(?:^|\/)([0-9A-F]{24})(\.partial)?(?:\.(?:gz|zst))?$/;
const historyFile = /(?:^|\/)([0-9A-F]{8})\.history(?:\.(?:gz|zst))?$/;

/** Lists an archive of WAL; segments may lie in folders by timeline. */
export async function listWal(place: Place, firstSegment: string, signal?: AbortSignal): Promise<WalArchive> {
  const whole = new Map<string, ObjectInfo>();
  const partial = new Map<string, ObjectInfo>();
  const histories = new Map<number, ObjectInfo>();
  let backupEnd: ObjectInfo | null = null;
  let isEmpty = true;
  for await (const object of objectsOf(place, signal ? { signal } : {})) {
    const [, segment, isPartial] = walFile.exec(object.key) ?? [];
    const [, timeline] = historyFile.exec(object.key) ?? [];
    if (timeline !== undefined) histories.set(Number.parseInt(timeline, 16), object);
    if (object.key.includes(`${firstSegment}.`) && /\.backup(?:\.(?:gz|zst))?$/.test(object.key))
      backupEnd = object;
    if (segment === undefined) continue;
    isEmpty = false;
    // Of whatever timeline, older ones are of no use.
    if (segment.slice(8) >= firstSegment.slice(8))
      (isPartial === undefined ? whole : partial).set(segment, object);
  }
  return { segments: new Map([...partial, ...whole]), histories, backupEnd, isEmpty };
}

/** A small file of the archive, as text. */
export async function readWalText({ store }: Place, { key, etag }: ObjectInfo): Promise<string> {
  const whole = await buffer(openWrapped(store, key, { etag, hint: walHint }));
  return whole.toString('utf8');
}

/** What the head of a segment says. */
export interface WalHead {
  /** Size of a segment. */
  readonly segmentBytes: number;
  readonly systemId: bigint;
  readonly timeline: number;
  /** Where it begins. */
  readonly start: bigint;
}

/** Bytes that {@link readWalHead} needs. */
export const walHeadBytes = 40;

/**
 * Reads the head of a segment (XLogLongPageHeaderData of PostgreSQL's sources).
 *
 * @throws ThawError `ArchiveCorrupt` for what is none
 */
export function readWalHead(head: Buffer, object: string): WalHead {
  const bytes = head.length < walHeadBytes ? 0 : head.readUInt32LE(32);
  const isPower = bytes >= 2 ** 20 && bytes <= 2 ** 30 && (bytes & (bytes - 1)) === 0;
  // Every version so far has D0 or D1 as the upper half of its magic, and the long head has flag 2.
  const isLong =
    head.length >= walHeadBytes && (head[1] === 0xd1 || head[1] === 0xd0) && (head.readUInt16LE(2) & 2) !== 0;
  if (!isPower || !isLong) {
    throw new ThawError('ArchiveCorrupt', `${object} is no segment of WAL.`, { object, hint: walHint });
  }
  return {
    segmentBytes: bytes,
    systemId: head.readBigUInt64LE(24),
    timeline: head.readUInt32LE(4),
    start: head.readBigUInt64LE(8),
  };
}

/** The head of a segment of the archive. */
export async function headOf({ store }: Place, { key, etag }: ObjectInfo): Promise<WalHead> {
  const chunks = openWrapped(store, key, { etag, hint: walHint });
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    length += chunk.length;
    if (length >= walHeadBytes) break;
  }
  return readWalHead(Buffer.concat(parts), key);
}
