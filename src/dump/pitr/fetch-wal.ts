import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { FetchedWal } from '../../contract/pitr.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ObjectInfo } from '../../store/object-store.ts';
import { openWrapped } from '../format/open-wrapped.ts';
import type { NeededWal } from './check-base.ts';
import { walHint } from './hints.ts';
import type { Place } from './place.ts';
import { readWalHead, walHeadBytes } from './wal-archive.ts';
import { parseWalName, segmentNumber } from './wal-name.ts';

/** Segments that are brought at the same time. */
const lanes = 4;

/**
 * Brings the WAL of a run and the histories of timelines into a folder, decompressed: `restore_command` then needs
 * neither network nor keys. What an earlier attempt has brought stays.
 *
 * @throws ThawError `ArchiveCorrupt` for what is no segment, or that of another place
 */
export async function fetchWal(
  wal: Place,
  { archive, run, segmentBytes }: NeededWal,
  folder: string,
  { signal, onBytes }: { readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void },
): Promise<FetchedWal> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of await readdir(folder)) if (name.includes('.new-')) await rm(path.join(folder, name));
  const names = run.names.filter((name) => archive.segments.has(name));
  let bytes = 0;
  const bring = async (name: string, object: ObjectInfo, expected: number | null) => {
    const file = path.join(folder, name);
    const found = await stat(file).catch(() => null);
    if (found === null) await write(wal, object, file, expected, { signal, onBytes });
    bytes += expected ?? found?.size ?? 0;
  };
  const queue = names.values();
  const lane = async () => {
    for (const name of queue) {
      const object = archive.segments.get(name);
      if (object !== undefined) await bring(name, object, segmentBytes);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  for (const [timeline, object] of archive.histories) {
    await bring(`${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`, object, null);
  }
  return { segments: names.length, bytes };
}

async function write(
  { store }: Place,
  { key, etag }: ObjectInfo,
  file: string,
  expected: number | null,
  { signal, onBytes }: { readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void },
): Promise<void> {
  const fresh = `${file}.new-${randomBytes(4).toString('hex')}`;
  const handle = await open(fresh, 'wx', 0o600);
  let length = 0;
  try {
    const head: Buffer[] = [];
    for await (const chunk of openWrapped(store, key, { etag, signal, onBytes, hint: walHint })) {
      if (length < walHeadBytes) head.push(chunk);
      length += chunk.length;
      await handle.write(chunk);
    }
    if (expected !== null) checkSegment(key, path.basename(file), Buffer.concat(head), length, expected);
    // What pg_receivewal was still writing is shorter where it compresses.
    if (expected !== null && length < expected) await handle.truncate(expected);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, file);
}

/** A segment says itself which one it is. */
function checkSegment(key: string, name: string, head: Buffer, length: number, expected: number): void {
  const { start, segmentBytes } = readWalHead(head, key);
  const parsed = parseWalName(name);
  const isWhole = length === expected || (/\.partial/.test(key) && length < expected);
  const isNamed =
    parsed !== null &&
    BigInt(segmentNumber(parsed, expected)) * BigInt(expected) === start &&
    segmentBytes === expected;
  if (isWhole && isNamed) return;
  const what = isWhole
    ? `holds another segment than its name says`
    : `has ${length} bytes in place of ${expected}`;
  throw new ThawError('ArchiveCorrupt', `${key} ${what}.`, { object: key, hint: walHint });
}
