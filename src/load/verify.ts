import type { Digests } from '../archive/decompress.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { OpenArchive } from './archive-reader.ts';

/**
 * Compares the bytes of an archive, read to its end, with its metadata.
 *
 * @throws ThawError `ChecksumMismatch`
 */
export function verifyChecksums(archive: OpenArchive): void {
  const { metadata } = archive;
  if (metadata === null) return;
  const digests = archive.digests();
  compare(archive.key, 'compressed', metadata.compressedSha256, digests.compressedSha256);
  compare(archive.key, 'uncompressed', metadata.jsonlSha256, digests.jsonlSha256);
}

/**
 * Compares the number of records with the archive's metadata.
 *
 * @throws ThawError `CountMismatch`
 */
export function verifyCount(archive: OpenArchive, records: number): void {
  const expected = archive.metadata?.recordCount ?? null;
  if (expected === null || expected === records) return;
  throw new ThawError(
    'CountMismatch',
    `${archive.key}: it holds ${records} records, and its metadata says ${expected}.`,
    { object: archive.key, stage: 'slice' },
  );
}

function compare(key: string, which: string, expected: string | null, found: Digests['jsonlSha256']): void {
  if (expected === null || found === null || expected === found) return;
  throw new ThawError(
    'ChecksumMismatch',
    `${key}: the SHA-256 of its ${which} bytes is not that of its metadata.`,
    {
      object: key,
      stage: 'decompress',
    },
  );
}
