import { Readable } from 'node:stream';
import type { PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';

/** With S3's 10,000 parts at most: objects up to 80 GB, where nothing is said. */
const smallestPart = 8 * 1024 * 1024;
/** Half as many as S3 takes, since what is said of the size is a guess. */
const partsWanted = 5_000;

/** What is known of an upload besides its bytes. */
export interface UploadFacts {
  /** What an error of the store means. */
  classify(error: unknown): unknown;
  /** Bytes that there may be; 0 where nobody knows. */
  readonly about: number;
}

/** How large the parts of an upload are that may have so many bytes. */
export function partSizeOf(about: number): number {
  return Math.max(smallestPart, Math.ceil(about / partsWanted));
}

/**
 * Puts an object whose size is not known: by parts, of which two are in memory. What the chunks raise is raised as
 * it is, and the parts that were put are removed.
 */
export async function uploadStream(
  client: S3Client,
  input: Omit<PutObjectCommandInput, 'Body'>,
  chunks: AsyncIterable<Uint8Array>,
  { classify, about }: UploadFacts,
): Promise<void> {
  const faults: unknown[] = [];
  const told = async function* () {
    try {
      yield* chunks;
    } catch (error) {
      faults.push(error);
      throw error;
    }
  };
  const body = Readable.from(told(), { objectMode: false });
  const upload = new Upload({
    client,
    params: { ...input, Body: body },
    partSize: partSizeOf(about),
    queueSize: 2,
  });
  try {
    await upload.done();
  } catch (error) {
    // An error of the source is none of the store, whatever the SDK makes of it.
    throw faults.length > 0 ? faults[0] : classify(error);
  } finally {
    body.destroy();
  }
}
