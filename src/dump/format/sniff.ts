import { Damage } from '../../archive/damage.ts';
import { isZstd } from '../../archive/zstd.ts';
import type { DumpCompression, DumpFormat } from '../../contract/dump-request.ts';
import { decompressed } from './decompressed.ts';
import { type Foreign, foreignKind } from './foreign.ts';
import { isTar, tarMembers } from './tar-head.ts';

/** What a dump is by its bytes, whatever it is called. */
export interface SniffedDump {
  readonly compression: DumpCompression;
  /** Null for what is no dump. */
  readonly format: DumpFormat | null;
  /** What it is instead, a noun with its article such as `an OpenPGP message`; null for a dump. */
  readonly foreign: string | null;
  /** The beginning of what it unpacks to; empty where nothing does. */
  readonly content: Buffer;
}

/** So many bytes, decompressed, tell every format: zstd gives the first of them only with a block of 128 KiB. */
export const sniffedBytes = 64 * 1024;

/** The members of dumps that pg_dump writes into a directory, in tars of theirs with or without a folder. */
const ofDirectory =
  /^(?:.*\/)?(?:toc\.dat|\d+\.dat(?:\.\w+)?|blob_\d+\.dat(?:\.\w+)?|blobs(?:_\d+)?\.toc|restore\.sql)$/;

/** What pg_dump and pg_dumpall begin with; the header of pg_dumpall is the first of several. */
const plainHeader = /^-- PostgreSQL database (cluster )?dump\r?$/m;

/**
 * Tells a dump by the beginning of its object.
 *
 * @param head 192 KiB are enough for all formats, 4 KiB for all but zstd and tars that begin with a long member
 */
export async function sniffDump(head: Uint8Array): Promise<SniffedDump> {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  const compression = sniffCompression(bytes);
  const content = compression === 'none' ? bytes : await beginning(compression, bytes);
  if (content === null) {
    return {
      compression,
      format: null,
      foreign: `${compression} that cannot be read`,
      content: Buffer.alloc(0),
    };
  }
  const { format, foreign } = sniffContent(content);
  return { compression, format, foreign: foreign?.what ?? null, content };
}

/** Tells what an object is wrapped in by its first four bytes. */
export function sniffCompression(head: Buffer): DumpCompression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  return isZstd(head) ? 'zstd' : 'none';
}

/** Tells the format by the beginning of the decompressed dump; what has none is named. */
export function sniffContent(
  head: Buffer,
): { format: DumpFormat; foreign: null } | { format: null; foreign: Foreign } {
  const format = formatOf(head);
  return format === null ? { format, foreign: foreignKind(head) } : { format, foreign: null };
}

function formatOf(head: Buffer): DumpFormat | null {
  // Behind the magic stand version, sizes of numbers, and at 10 the format: 1 is custom, all else a toc.dat alone.
  if (head.toString('latin1', 0, 5) === 'PGDMP') return head[10] === 1 ? 'custom' : null;
  if (isTar(head)) {
    const members = tarMembers(head);
    if (!members.some(({ name }) => ofDirectory.test(name))) return null;
    return members[0]?.name === 'toc.dat' && members[0].isOfPgDump ? 'tar' : 'directory';
  }
  const text = head.toString('latin1', 0, sniffedBytes);
  const header = plainHeader.exec(text);
  if (header === null || text.includes('\0')) return null;
  return header[1] === undefined ? 'plain' : 'cluster';
}

/**
 * What the beginning of an object unpacks to, as far as that goes: at least {@link sniffedBytes} where there are as
 * many. Null where nothing comes out of the wrapping.
 */
async function beginning(compression: DumpCompression, head: Buffer): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of decompressed(compression, once(head))) {
      parts.push(chunk);
      length += chunk.length;
      if (length >= sniffedBytes) break;
    }
  } catch (error) {
    // It is cut short, as a beginning is. Of what is damaged nothing may have come out.
    if (!(error instanceof Damage)) throw error;
    if (length === 0) return null;
  }
  return Buffer.concat(parts);
}

async function* once(head: Buffer): AsyncGenerator<Buffer> {
  yield head;
}
