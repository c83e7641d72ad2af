import { createHash } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A file that lies in the spool. */
export interface SpooledFile {
  readonly path: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** The first bytes, which tell what it is. */
  readonly head: Buffer;
}

/** A folder of one request, for this user only: what comes lies there until it was looked at. */
export class Spool {
  readonly #folder: string;
  #files = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder, in the system's folder for temporary files. */
  static async make(): Promise<Spool> {
    return new Spool(await mkdtemp(path.join(tmpdir(), 'thaw-spool-')));
  }

  /** Writes what comes, and hashes it on the way. */
  async write(chunks: AsyncIterable<Uint8Array>): Promise<SpooledFile> {
    this.#files += 1;
    const name = path.join(this.#folder, String(this.#files));
    const digest = createHash('sha256');
    const head: Uint8Array[] = [];
    let bytes = 0;
    const file = await open(name, 'wx', 0o600);
    try {
      for await (const chunk of chunks) {
        digest.update(chunk);
        if (bytes < 4) head.push(chunk.subarray(0, 4));
        bytes += chunk.length;
        await file.writeFile(chunk);
      }
    } finally {
      await file.close();
    }
    return { path: name, bytes, sha256: digest.digest('hex'), head: Buffer.concat(head).subarray(0, 4) };
  }

  /** Removes the folder with all that lies in it. */
  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
