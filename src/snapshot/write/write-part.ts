import { createHash, type Hash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { SnapshotPart } from '../../contract/snapshot.ts';
import type { ObjectStore } from '../../store/object-store.ts';

/** Half the time of the default level, for a few percent more bytes. */
const level = 4;

const newline = 10;

/** What has come by of a stream. */
interface Passed {
  readonly digest: Hash;
  bytes: number;
  rows: number;
}

/** A part as it was written. */
export interface WrittenPart extends SnapshotPart {
  readonly jsonlBytes: number;
}

/**
 * Writes lines, compressed, as an object of the store.
 *
 * @param folder of the snapshot; `key` is relative to it
 * @throws what reading the lines raises, and what the store does
 */
export async function writePart(
  { store, folder }: { readonly store: ObjectStore; readonly folder: string },
  key: string,
  lines: AsyncIterable<Uint8Array>,
  onRows: (rows: number, bytes: number) => void,
): Promise<WrittenPart> {
  const read: Passed = { digest: createHash('sha256'), bytes: 0, rows: 0 };
  const sent: Passed = { digest: createHash('sha256'), bytes: 0, rows: 0 };
  const gzip = createGzip({ level });
  // What ends the lines early ends what is read from gzip with the same error, and the other way round.
  pipeline(Readable.from(counted(lines, read, onRows), { objectMode: false }), gzip, () => {});
  await store.writeStream(`${folder}${key}`, counted(gzip, sent), 'application/gzip');
  return {
    ...{ key, rows: read.rows, bytes: sent.bytes, jsonlBytes: read.bytes },
    ...{ sha256: sent.digest.digest('hex'), jsonlSha256: read.digest.digest('hex') },
  };
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  passed: Passed,
  onRows?: (rows: number, bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    passed.digest.update(chunk);
    passed.bytes += chunk.length;
    if (onRows !== undefined) {
      let rows = 0;
      for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, at + 1)) rows += 1;
      passed.rows += rows;
      onRows(rows, chunk.length);
    }
    yield chunk;
  }
}
