import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import tar from 'tar-stream';
import yazl from 'yazl';
import { ThawError } from '../contract/thaw-error.ts';
import { badBundle } from './bundle-error.ts';
import { defaultZipLimits, type ZipLimits } from './zip.ts';

/** Decompressed bytes below which a high ratio does no harm. */
const ratioMatters = 64 * 1024 * 1024;

/**
 * Packs a bundle that is a `.tar.gz` anew, as a ZIP, of which any part can be read.
 *
 * @param bytes size of the `.tar.gz`
 * @throws ThawError `InputInvalid`, while the ZIP is read, for what is no such file, links in it, names that lead out
 *   of it, and what exceeds the limits
 */
export async function* tarToZip(
  compressed: Readable,
  bytes: number,
  limits: ZipLimits = defaultZipLimits,
): AsyncGenerator<Uint8Array> {
  const zip = new yazl.ZipFile();
  const packed = pack(compressed, bytes, zip, limits);
  // Told below, when the ZIP has come to its end, or to none.
  packed.catch((error: unknown) => zip.outputStream.emit('error', error));
  try {
    for await (const chunk of zip.outputStream) yield chunk as Buffer;
    await packed;
  } catch (error) {
    compressed.destroy();
    throw translated(error);
  }
}

async function pack(
  compressed: Readable,
  bytes: number,
  zip: yazl.ZipFile,
  limits: ZipLimits,
): Promise<void> {
  const entries = tar.extract();
  const read = pipeline(compressed, createGunzip(), entries);
  // Told by the entries, too.
  read.catch(() => {});
  let count = 0;
  let total = 0;
  for await (const entry of entries) {
    const { type, size = 0, name: given } = entry.header;
    count += 1;
    total += size;
    if (count > limits.entries) throw badBundle(`it has more than ${limits.entries} entries`);
    if (total > limits.totalBytes || (total > ratioMatters && total > bytes * limits.ratio)) {
      throw badBundle('it expands to too much');
    }
    const name = given.replace(/^(\.\/)+/, '');
    if (type === 'file') {
      const content = Readable.from(entry, { objectMode: false });
      zip.addReadStream(content, name, { size, mtime: new Date(0) });
      await finished(content);
    } else if (type === 'directory') entry.resume();
    else throw badBundle(`${JSON.stringify(name.slice(0, 80))} is no plain file`);
  }
  await read;
  zip.end();
}

/** What zlib, tar-stream and yazl say is about the file; what the disk says stays. */
function translated(error: unknown): unknown {
  if (error instanceof ThawError || !(error instanceof Error)) return error;
  const code = 'code' in error ? String(error.code) : 'Z_';
  return code.startsWith('Z_') ? badBundle('it is no .tar.gz, or a damaged one') : error;
}
