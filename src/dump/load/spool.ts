import { createWriteStream } from 'node:fs';
import { mkdir, statfs } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import type { DumpProof } from '../../contract/dump-activities.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { formatBytes } from '../../restore/format.ts';

/** The files of a dump in directory format that pg_restore reads. */
const member = /^(?:toc\.dat|(?:\d+|blob_\d+)\.dat(?:\.(?:gz|lz4|zst))?|blobs(?:_\d+)?\.toc)$/;

/** Left free, so that nothing else on the disk stops. */
const reserve = 64 * 2 ** 20;

/**
 * Writes the decompressed bytes of a dump into a private folder as pg_restore needs them: a custom dump as a
 * file, one in directory format as the folder that it was.
 *
 * @returns the path of file or folder
 * @throws ThawError `ConfigInvalid` where there is not enough space; `ArchiveCorrupt` and what the store throws
 */
export async function spoolDump(
  folder: string,
  chunks: AsyncIterable<Uint8Array>,
  { format, bytes }: DumpProof,
): Promise<string> {
  await demandRoom(folder, bytes);
  const target = path.join(folder, 'dump');
  try {
    if (format === 'directory') await unpack(chunks, target);
    else await write(chunks, target);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? noSpace(folder, bytes) : error;
  }
  return target;
}

/** @throws ThawError `ConfigInvalid` where a folder has no room for that many bytes */
export async function demandRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < bytes + reserve) throw noSpace(folder, bytes);
}

/** By base name: a folder that the tar puts around its files says nothing, and none leads out of the target. */
async function unpack(chunks: AsyncIterable<Uint8Array>, target: string): Promise<void> {
  await mkdir(target, { mode: 0o700 });
  const entries = extract();
  const unpacking = async () => {
    for await (const entry of entries) {
      const name = path.posix.basename(entry.header.name);
      if (entry.header.type === 'file' && member.test(name)) {
        await write(Readable.from(entry, { objectMode: false }), path.join(target, name));
      } else entry.resume();
    }
  };
  await Promise.all([pipeline(Readable.from(chunks), entries), unpacking()]);
}

async function write(chunks: AsyncIterable<Uint8Array>, file: string): Promise<void> {
  await pipeline(chunks, createWriteStream(file, { flags: 'wx', mode: 0o600 }));
}

function noSpace(folder: string, bytes: number): ThawError {
  const place = path.dirname(folder);
  return new ThawError(
    'ConfigInvalid',
    `${place} has no room for ${formatBytes(bytes)}, the size of the dump`,
    {
      object: 'THAW_SPOOL_DIR',
      hint: 'Free space there, or name a folder of a larger disk in THAW_SPOOL_DIR. Dumps in tar format and plain ones need none.',
    },
  );
}
