import type { DumpCompression, DumpFormat, DumpRef } from '../../contract/dump-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ArchiveStore } from '../../store/object-store.ts';
import { headerBytes, readArchiveHeader } from '../format/archive-header.ts';
import { PlainComments } from '../format/plain-comments.ts';
import { sniffDump } from '../format/sniff.ts';

/** What the beginning of a dump tells. */
export interface DumpHead {
  readonly compression: DumpCompression;
  /** Null for what is no dump, or could not be read. */
  readonly format: DumpFormat | null;
  /** What it is instead: `an OpenPGP message`, or why it could not be read: `ArchiveFrozen`. */
  readonly foreign: string | null;
  /** Version of the server that was dumped, such as `15.18`; null where the beginning does not tell. */
  readonly serverVersion: string | null;
}

/** Enough for `sniffDump` of all formats. */
const readBytes = 192 * 1024;

/** Dumps that are read at a time. */
const atOnce = 4;

/** Where members of a tar begin. */
const tarBlock = 512;

/** Errors of one dump that leave a listing of the others as it is. */
const ofOne = ['ArchiveFrozen', 'ArchiveNotFound', 'ArchiveChanged', 'PermissionDenied'];

/** Reads the beginnings of dumps, in their order. @throws ThawError of the store */
export async function lookInto(
  store: ArchiveStore,
  dumps: readonly DumpRef[],
  signal?: AbortSignal,
): Promise<DumpHead[]> {
  const heads: DumpHead[] = [];
  const places = dumps.entries();
  const lane = async () => {
    for (const [place, dump] of places) heads[place] = await headOf(store, dump, signal);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return heads;
}

async function headOf(
  store: ArchiveStore,
  dump: DumpRef,
  signal: AbortSignal | undefined,
): Promise<DumpHead> {
  try {
    const head = await read(store, dump, signal);
    const { compression, format, foreign, content } = await sniffDump(head);
    return {
      compression,
      format,
      foreign,
      serverVersion: format === null ? null : versionIn(content, format),
    };
  } catch (error) {
    if (!(error instanceof ThawError) || !ofOne.includes(error.code)) throw error;
    return { compression: 'none', format: null, foreign: error.code, serverVersion: null };
  }
}

/** S3 has no first bytes of an object without any. */
async function read(store: ArchiveStore, dump: DumpRef, signal: AbortSignal | undefined): Promise<Buffer> {
  if (dump.bytes === 0) return Buffer.alloc(0);
  const { chunks } = await store.open(dump.key, { etag: dump.etag || undefined, to: readBytes, signal });
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

function versionIn(content: Buffer, format: DumpFormat): string | null {
  if (format === 'plain' || format === 'cluster') return versionInText(content);
  const step = format === 'custom' ? content.length : tarBlock;
  for (let at = 0; at < content.length; at += step) {
    const header = readArchiveHeader(content.subarray(at, at + headerBytes));
    if (header !== null) return header.serverVersion;
  }
  return null;
}

function versionInText(content: Buffer): string | null {
  const comments = new PlainComments();
  for (const line of content.toString('latin1').split('\n')) {
    if (line.startsWith('--')) comments.take(line.slice(2).trimEnd());
    if (comments.serverVersion !== null) break;
  }
  return comments.serverVersion;
}
