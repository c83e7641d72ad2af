import { randomUUID } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { lstat, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { FolderStoreConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { type FallbackFiles, FallbackFolder, withFallback } from './fallback-files.ts';
import { walkFolder } from './folder-walk.ts';
import type {
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectPage,
  ObjectStore,
  ReadOptions,
} from './object-store.ts';
import { storeError } from './store-error.ts';
import { readWhole, settle } from './whole-body.ts';

const longestPage = 1_000;
const chunkBytes = 256 * 1024;

/**
 * Archives in a folder of the same layout as the bucket: an object's key is its path below the folder.
 * Symbolic links below it are not part of it, so that no key leads out of the folder. What the archiver saved
 * there because it could not upload it is read by its key, too.
 */
export class FolderStore implements ObjectStore {
  readonly name: string;
  readonly #root: string;
  readonly #fallback: FallbackFolder;

  constructor(config: FolderStoreConfig) {
    this.#fallback = new FallbackFolder(config.prefix);
    this.name = pathToFileURL(config.path).href.replace(/\/$/, '');
    this.#root = config.path;
  }

  async list({ prefix, after, limit, onUnreadable, signal }: ListOptions): Promise<ObjectPage> {
    const most = Math.min(limit ?? longestPage, longestPage);
    return this.#classified(undefined, async () => {
      const keys: string[] = [];
      const root = await this.#realRoot();
      const saved = await this.#fallback.files(root);
      if (isKey(prefix.replace(/\/$/, '')) || prefix === '') {
        const walked = walkFolder(root, prefix, after ?? '', onUnreadable);
        for await (const key of withFallback(walked, saved, prefix, after ?? '')) {
          signal?.throwIfAborted();
          keys.push(key);
          if (keys.length > most) break;
        }
      }
      const shown = keys.slice(0, most);
      const objects = await Promise.all(shown.map((key) => this.#info(key, saved)));
      return {
        objects: objects.filter((object) => object !== null),
        next: keys.length > most ? (shown.at(-1) ?? null) : null,
      };
    });
  }

  async open(key: string, { etag, from, to, signal }: ReadOptions = {}): Promise<ObjectBody> {
    signal?.throwIfAborted();
    return this.#classified(key, async () => {
      const path = await this.#path(key);
      const stats = await stat(path, { bigint: true });
      if (!stats.isFile()) throw notThere(this.name, key);
      const found = entityTag(stats);
      if (etag !== undefined && etag !== found) throw changed(this.name, key);
      const bytes = Number(stats.size);
      return settle({ bytes, etag: found, chunks: this.#chunks(key, path, found, { from, to, signal }) });
    });
  }

  read(key: string, options?: ReadOptions): Promise<Uint8Array | null> {
    return readWhole(this, key, options);
  }

  async write(key: string, body: Uint8Array, _contentType?: string, replaces?: string | null): Promise<void> {
    await this.#classified(key, async () => {
      const path = await this.#newPath(key);
      // Between this look and the renaming somebody else may be faster: a file system has no conditions.
      const found = replaces === undefined ? null : await this.#info(key);
      if (replaces !== undefined && (found?.etag ?? null) !== replaces) throw changed(this.name, key);
      await replaceFile(path, [body]);
    });
  }

  async writeStream(key: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const path = await this.#classified(key, () => this.#newPath(key));
    await replaceFile(path, chunks);
  }

  async remove(key: string): Promise<void> {
    await this.#classified(key, async () => {
      const path = await this.#path(key).catch(ignoreMissing);
      if (path !== null) await rm(path, { force: true });
    });
  }

  close(): void {}

  /** Where the file of a key is to lie; its folder is made. */
  async #newPath(key: string): Promise<string> {
    if (!isKey(key)) throw notThere(this.name, key);
    const path = join(await this.#realRoot(), key);
    await mkdir(dirname(path), { recursive: true });
    if ((await realpath(dirname(path))) !== dirname(path)) throw notThere(this.name, key);
    return path;
  }

  async #info(key: string, files?: FallbackFiles): Promise<ObjectInfo | null> {
    const path = join(this.#root, await this.#fileOf(key, files));
    const stats = await lstat(path, { bigint: true }).catch(ignoreMissing);
    if (stats === null) return null;
    return {
      key,
      bytes: Number(stats.size),
      etag: entityTag(stats),
      modifiedAt: stats.mtime.toISOString(),
      storageClass: null,
    };
  }

  async *#chunks(
    key: string,
    path: string,
    etag: string,
    { from = 0, to = Number.POSITIVE_INFINITY, signal }: ReadOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const file = await this.#classified(key, () => open(path, 'r'));
    try {
      for (let at = from; ; ) {
        signal?.throwIfAborted();
        const chunk = Buffer.allocUnsafe(chunkBytes);
        const wanted = Math.min(chunkBytes, to - at);
        const { bytesRead } = await this.#classified(key, () => file.read(chunk, 0, wanted, at));
        // Asked at the end: what was written meanwhile shows in size or time.
        if (bytesRead === 0 && entityTag(await file.stat({ bigint: true })) !== etag)
          throw changed(this.name, key);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield chunk.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  /** The file of a key, which is there and lies below the folder without any link on the way. */
  async #path(key: string): Promise<string> {
    if (!isKey(key)) throw notThere(this.name, key);
    const path = join(await this.#realRoot(), await this.#fileOf(key));
    if ((await realpath(path)) !== path) throw notThere(this.name, key);
    return path;
  }

  /** Where below the folder an object lies: what has the path of its key comes before what was saved. */
  async #fileOf(key: string, files?: FallbackFiles): Promise<string> {
    const saved = (files ?? (await this.#fallback.files(this.#root))).byKey.get(key);
    if (saved === undefined) return key;
    const own = await lstat(join(this.#root, key)).catch(ignoreMissing);
    return own === null ? saved : key;
  }

  async #realRoot(): Promise<string> {
    const root = await realpath(this.#root).catch(ignoreMissing);
    if (root !== null) return root;
    throw new ThawError('ConfigInvalid', `folder: ${this.#root} does not exist`, {
      object: 'folder',
      hint: 'Correct the path of the folder that holds the archives.',
    });
  }

  async #classified<T>(key: string | undefined, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storeError(error, { store: this.name, key });
    }
  }
}

/** Only what S3 would tell apart too: no empty, `.` or `..` step. */
function isKey(key: string): boolean {
  return !key.includes('\0') && key.split('/').every((step) => step !== '' && step !== '.' && step !== '..');
}

/** Size and time of modification, in nanoseconds, in hexadecimal. */
function entityTag({ size, mtimeNs }: BigIntStats): string {
  return `${size.toString(16)}-${mtimeNs.toString(16)}`;
}

/** Whole or not at all: a reader never sees half of it, nor does a crash leave it. */
async function replaceFile(
  path: string,
  body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(draft, 'wx');
    try {
      for await (const chunk of body) await file.writeFile(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

function ignoreMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
  throw error;
}

function notThere(store: string, key: string): ThawError {
  return new ThawError('ArchiveNotFound', `${store}/${key}: is not there`, { object: key });
}

function changed(store: string, key: string): ThawError {
  return new ThawError(
    'ArchiveChanged',
    `${store}/${key}: is not the file that it was when it was listed or opened`,
    {
      object: key,
    },
  );
}
