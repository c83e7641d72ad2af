import { ByteQueue } from '../../archive/byte-queue.ts';
import { gunzip } from '../../archive/gunzip.ts';
import { unzstd } from '../../archive/zstd.ts';
import type { DumpCompression } from '../../contract/dump-request.ts';

/**
 * What is in a wrapping, as it comes: of gzip all members, of zstd all frames, with their checksums.
 *
 * @throws Damage for what is damaged, cut short, or followed by something else
 */
export function decompressed(
  compression: DumpCompression,
  input: AsyncGenerator<Buffer>,
): AsyncGenerator<Buffer> {
  if (compression === 'gzip') return gunzip(input);
  return compression === 'zstd' ? unzstd(new ByteQueue(input)) : input;
}
