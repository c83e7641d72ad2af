import { Slicer } from '../archive/slicer.ts';
import { isAboutArchive } from './archive-error.ts';
import { letGo, type OpenArchive } from './archive-reader.ts';
import { type OriginRule, originOf } from './origin.ts';
import { verifyChecksums, verifyCount } from './verify.ts';

/** What an archive is held against. */
export interface ArchiveExpectation {
  /** As the workflows carry it. */
  readonly name: string;
  /** One of another schema is left out. */
  readonly origin: OriginRule;
  /** Whether its checksums are compared. */
  readonly checksums: boolean;
  /** Told of decompressed bytes as they are read. */
  readonly onRead: (bytes: number) => void;
}

/**
 * Reads an archive to its end and checks all that can be told without its table: origin, decompression,
 * JSON, checksums, number of records.
 *
 * @throws ThawError the first thing that is wrong; a wrong checksum before what it may have caused
 */
export async function verifyArchive(archive: OpenArchive, expected: ArchiveExpectation): Promise<void> {
  const { key, metadata } = archive;
  const { foreignSchema } = originOf({ key, name: expected.name, metadata }, expected.origin);
  if (foreignSchema !== null) return letGo(archive);
  const slicer = new Slicer([], { archive: archive.key });
  let fault: unknown = null;
  const slice = (pieces: () => ReturnType<Slicer['end']>) => {
    if (fault !== null) return;
    try {
      for (const piece of pieces()) piece.release();
    } catch (error) {
      fault = error;
    }
  };
  try {
    for await (const chunk of archive.chunks) {
      expected.onRead(chunk.length);
      slice(() => slicer.push(chunk));
    }
    slice(() => slicer.end());
  } catch (error) {
    // Damage is told only after all bytes were read, so the checksums tell whose fault it is.
    if (!isAboutArchive(error)) throw error;
    fault ??= error;
  } finally {
    slicer.dispose();
  }
  if (expected.checksums) verifyChecksums(archive);
  if (fault !== null) throw fault;
  verifyCount(archive, slicer.rows);
}
