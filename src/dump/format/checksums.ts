import { createHash, type Hash } from 'node:crypto';
import path from 'node:path';
import type { DumpRef } from '../../contract/dump-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ArchiveStore } from '../../store/object-store.ts';
import { readBeside } from './read-beside.ts';
import { sniffCompression } from './sniff.ts';

/** Files beside a dump that hold its checksum, as sha256sum and md5sum write them. */
const files = [
  { suffix: '.sha256', algorithm: 'sha256', digits: 64 },
  { suffix: '.md5', algorithm: 'md5', digits: 32 },
] as const;

/** A checksum that a dump should have. */
interface Wanted {
  readonly algorithm: 'sha256' | 'md5';
  readonly hex: string;
  /** What says so. */
  readonly source: string;
  /** Another one means damage; an ETag is the MD5 of an object only where it was stored in one piece and in clear. */
  readonly isBinding: boolean;
}

/**
 * Looks for checksums beside a dump, and takes its ETag for one where that looks like it.
 *
 * @throws errors of the store
 */
export async function findChecksums(
  store: ArchiveStore,
  { key, etag }: Pick<DumpRef, 'key' | 'etag'>,
  signal: AbortSignal,
): Promise<Checksums> {
  for (const { suffix, algorithm, digits } of files) {
    const bytes = await readBeside(store, `${key}${suffix}`, signal);
    const hex = bytes === null ? null : hexOf(Buffer.from(bytes).toString('latin1'), key, digits);
    if (hex !== null) return new Checksums(key, { algorithm, hex, source: suffix, isBinding: true });
  }
  const md5 = /^"?([\da-f]{32})"?$/.exec(etag)?.[1];
  return new Checksums(
    key,
    md5 === undefined ? null : { algorithm: 'md5', hex: md5, source: 'ETag', isBinding: false },
  );
}

/** The line of the dump, else the first. */
function hexOf(text: string, key: string, digits: number): string | null {
  const lines = text.split(/\r?\n/);
  const line = lines.find((each) => each.includes(path.posix.basename(key))) ?? lines[0] ?? '';
  const found = new RegExp(`(?<![\\da-f])[\\da-f]{${digits}}(?![\\da-f])`, 'i').exec(line);
  return found?.[0].toLowerCase() ?? null;
}

/** Compares a dump that is being read with a checksum that lies beside it, and knows those of its wrapping. */
export class Checksums {
  readonly #key: string;
  readonly #wanted: Wanted | null;
  #wrapping: string | null = null;
  /** Null before the first bytes, and where nothing has to be computed. */
  #hash: Hash | null = null;
  #hasBegun = false;

  constructor(key: string, wanted: Wanted | null) {
    this.#key = key;
    this.#wanted = wanted;
  }

  /** Takes the next bytes of the object. */
  take(chunk: Uint8Array): void {
    if (!this.#hasBegun) this.#begin(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    this.#hash?.update(chunk);
  }

  /**
   * Compares, once all bytes have come.
   *
   * @returns what proves each byte: `.sha256`, `.md5`, `ETag`, `gzip`, `zstd`; null: nothing does
   * @throws ThawError `ChecksumMismatch`
   */
  compare(): string | null {
    if (this.#wanted === null || this.#hash === null) return this.#wrapping;
    const { hex, source, isBinding } = this.#wanted;
    if (this.#hash.digest('hex') === hex) return source;
    if (!isBinding) return this.#wrapping;
    throw new ThawError('ChecksumMismatch', `${this.#key}: is not the dump of ${this.#key}${source}`, {
      object: this.#key,
      hint: 'Restore an earlier dump (`thaw dumps` lists them, --fallback takes the one before); or take the file away where it is not that of the dump.',
    });
  }

  #begin(first: Buffer): void {
    this.#hasBegun = true;
    const compression = sniffCompression(first);
    // A frame of zstd says in its fifth byte whether a checksum ends it (RFC 8878, 3.1.1.1).
    const isSummed = compression === 'zstd' && ((first[4] ?? 0) & 4) !== 0;
    if (compression === 'gzip' || isSummed) this.#wrapping = compression;
    // What an ETag would prove, the wrapping proves.
    const isNeeded = this.#wanted?.isBinding === true || this.#wrapping === null;
    if (this.#wanted !== null && isNeeded) this.#hash = createHash(this.#wanted.algorithm);
  }
}
