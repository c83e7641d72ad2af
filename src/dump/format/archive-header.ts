/** What the header of an archive of pg_dump tells: of a custom dump, and of the toc.dat of a tar or directory. */
export interface ArchiveHeader {
  /** Version of the format, such as `1.14`. */
  readonly archiveVersion: string;
  /** Major version of the first pg_restore that can read it; null: any. */
  readonly readableFrom: number | null;
  readonly database: string | null;
  /** Such as `15.18`; null where the dump does not tell. */
  readonly serverVersion: string | null;
  readonly dumpVersion: string | null;
  /** Rows are compressed by zlib, each block with a checksum of its own. */
  readonly isDeflated: boolean;
}

/** More bytes hold no header. */
export const headerBytes = 4096;

/** Versions of the format from which on older releases of PostgreSQL cannot read it. */
const readable: readonly (readonly [minor: number, major: number])[] = [
  [16, 17],
  [15, 16],
  [14, 12],
];

/**
 * Reads the header of an archive (`ReadHead` in pg_backup_archiver.c of PostgreSQL).
 *
 * @param head begins with `PGDMP`
 * @returns null for what is no header, or too old (before 1.10, of PostgreSQL 8) for it to be read
 */
export function readArchiveHeader(head: Buffer): ArchiveHeader | null {
  if (head.toString('latin1', 0, 5) !== 'PGDMP' || head.length < 11) return null;
  const major = head.readUInt8(5);
  const minor = head.readUInt8(6);
  if (major !== 1 || minor < 10) return null;
  const intSize = head.readUInt8(8);
  let at = 11;
  const int = (): number => {
    const isNegative = head.readUInt8(at) !== 0;
    const value = head.readUIntLE(at + 1, Math.min(intSize, 6));
    at += 1 + intSize;
    return isNegative ? -value : value;
  };
  const text = (): string | null => {
    const length = int();
    if (length < 0) return null;
    at += length;
    if (at > head.length) throw new RangeError('the header is longer than what there is of it');
    return head.toString('utf8', at - length, at);
  };
  try {
    // The algorithm, of which 1 is gzip; before that a level, of which 0 is none.
    const isDeflated = minor >= 15 ? head.readUInt8(at) === 1 : head.readUInt8(at + 1) !== 0;
    at += minor >= 15 ? 1 : 1 + intSize;
    // Second, minute, hour, day, month, year, and whether it was summer.
    for (let field = 0; field < 7; field += 1) int();
    return {
      archiveVersion: `${major}.${minor}`,
      readableFrom: readable.find(([from]) => minor >= from)?.[1] ?? null,
      database: text(),
      serverVersion: version(text()),
      dumpVersion: version(text()),
      isDeflated,
    };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** `15.18` of `15.18 (Debian 15.18-0+deb12u1)`. */
function version(text: string | null): string | null {
  return /^\d[\w.]*/.exec(text ?? '')?.[0] ?? null;
}
