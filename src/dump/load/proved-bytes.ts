import type { DumpProof } from '../../contract/dump-activities.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { OpenedDump } from '../format/open-dump.ts';

/**
 * The decompressed bytes of the dump that was proved. The entity tag says already that it is the same object;
 * that is not left to the store alone, since pg_restore waits for ever when a tar ends in the data of a table.
 *
 * @throws ThawError `ArchiveChanged` at once for another format, at the end for another length
 */
export async function* provedBytes(dump: OpenedDump, proof: DumpProof): AsyncGenerator<Buffer> {
  if (dump.format !== proof.format) throw changed(proof);
  let bytes = 0;
  for await (const chunk of dump.chunks) {
    bytes += chunk.length;
    yield chunk;
  }
  if (bytes !== proof.bytes) throw changed(proof);
}

function changed({ dump: { key } }: DumpProof): ThawError {
  return new ThawError('ArchiveChanged', `${key} is not the dump that was proved.`, { object: key });
}
