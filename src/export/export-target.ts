import { once } from 'node:events';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { ThawError } from '../contract/thaw-error.ts';

/** Where exported rows go. */
export interface ExportTarget {
  write(bytes: Buffer): Promise<void>;
  /** Everything was verified: from now on it is there. */
  commit(): Promise<void>;
  /** It was not: nothing is left, as far as that is possible. */
  discard(): Promise<void>;
  /** Begins anew; false where what was written cannot be taken back. */
  restart(): Promise<boolean>;
}

/** A stream, such as standard output, that waits for its reader. */
export class StreamTarget implements ExportTarget {
  readonly #stream: NodeJS.WritableStream;
  #isBegun = false;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  async write(bytes: Buffer): Promise<void> {
    this.#isBegun ||= bytes.length > 0;
    if (!this.#stream.write(bytes)) await once(this.#stream, 'drain');
  }

  async commit(): Promise<void> {}

  async discard(): Promise<void> {}

  async restart(): Promise<boolean> {
    return !this.#isBegun;
  }
}

/** How a file is made. */
export interface FileOptions {
  /** Names the path in messages. @default '--output' */
  readonly flag?: string;
  /** Its permissions, from which the process's mask takes some away. @default 0o666 */
  readonly mode?: number;
  /** It takes the place of one that is there. @default true */
  readonly replaces?: boolean;
}

/** A file, which has its name only when all of it is there and verified. */
export class FileTarget implements ExportTarget {
  readonly #path: string;
  readonly #draft: string;
  readonly #file: FileHandle;

  private constructor(path: string, draft: string, file: FileHandle) {
    this.#path = path;
    this.#draft = draft;
    this.#file = file;
  }

  /** @throws ThawError `InputInvalid` for a place that no file can be written to */
  static async open(
    path: string,
    { flag = '--output', mode = 0o666, replaces = true }: FileOptions = {},
  ): Promise<FileTarget> {
    const draft = `${path}.${process.pid}.tmp`;
    try {
      const there = await stat(path).catch(() => null);
      if (there?.isFile() === false) throw new Error('it is there and is no file');
      if (there !== null && !replaces) throw new Error('it is there already');
      return new FileTarget(path, draft, await open(draft, 'ax', mode));
    } catch (error) {
      throw new ThawError(
        'InputInvalid',
        `${flag}: ${path} cannot be written (${(error as Error).message})`,
        {
          object: path,
          hint: 'Name a file in a folder that you may write to.',
        },
      );
    }
  }

  async write(bytes: Buffer): Promise<void> {
    // A plain write may take only a part. Opened for appending, the file goes on at its end after `restart`.
    await this.#file.appendFile(bytes);
  }

  async commit(): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
    await rename(this.#draft, this.#path);
  }

  async discard(): Promise<void> {
    await this.#file.close();
    await rm(this.#draft, { force: true });
  }

  async restart(): Promise<boolean> {
    await this.#file.truncate(0);
    return true;
  }
}
