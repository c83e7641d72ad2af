import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ObjectInfo, ObjectStore } from '../../store/object-store.ts';

/**
 * A file that is named by its path. Links are followed first, since a store that is a folder has none.
 *
 * @throws ThawError `ArchiveNotFound`, `InputInvalid` for a folder
 */
export async function realFile(path: string): Promise<string> {
  try {
    const real = await realpath(path);
    if ((await stat(real)).isFile()) return real;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new ThawError('ArchiveNotFound', `${path}: cannot be found (${code})`, {
      object: path,
      hint: 'The file has to be on the machine of the worker. Correct its path, or name a dump by its key.',
      cause: error,
    });
  }
  throw new ThawError('InputInvalid', `${path}: is not a file`, {
    object: path,
    hint: `Name the dump itself. A dump in directory format has to be packed first: tar -cf dump.tar -C '${path}' .`,
  });
}

/** Its key in the store that is its folder. */
export async function fileKey(path: string): Promise<string> {
  return basename(await realFile(path));
}

/**
 * Files of the folder that a file lies in, without those of folders in it. One that cannot be read is none.
 *
 * @param store that folder
 * @param isAsked tells by name which files
 */
export async function* filesBeside(
  store: ObjectStore,
  path: string,
  isAsked: (name: string) => boolean,
): AsyncGenerator<ObjectInfo, void, undefined> {
  const real = await realFile(path);
  const folder = dirname(real);
  const entries = await readdir(folder, { withFileTypes: true });
  for (const { name } of entries.filter((entry) => entry.isFile() && isAsked(entry.name))) {
    try {
      const { bytes, etag } = await store.open(name, { from: 0, to: 1 });
      const { mtime } = await stat(join(folder, name));
      yield { key: name, bytes, etag, modifiedAt: mtime.toISOString(), storageClass: null };
    } catch (error) {
      if (basename(real) === name || !(error instanceof ThawError)) throw error;
    }
  }
}
