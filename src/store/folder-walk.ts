import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The keys of the files below a folder in the order of their UTF-8 bytes, which is that of S3: `a-b`
 * comes before `a/b`, though the name `a` comes before `a-b`.
 *
 * @param prefix only below this; empty, or ends with `/`
 * @param after only keys after this one; what lies before is not even opened
 * @param onUnreadable told of the key of each folder below that may not be read, which is passed over; without it, that
 * is an error
 */
export async function* walkFolder(
  root: string,
  prefix: string,
  after: string,
  onUnreadable?: (folder: string) => void,
): AsyncGenerator<string, void, undefined> {
  yield* walk(root, prefix, after, await steps(join(root, prefix)), onUnreadable);
}

async function* walk(
  root: string,
  prefix: string,
  after: string,
  found: readonly string[],
  onUnreadable?: (folder: string) => void,
): AsyncGenerator<string, void, undefined> {
  for (const step of found) {
    const key = `${prefix}${step}`;
    const isAfter = Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0;
    if (!step.endsWith('/')) {
      if (isAfter) yield key;
    } else if (isAfter || after.startsWith(key)) {
      const below = await steps(join(root, key)).catch((error: unknown) => {
        if (onUnreadable === undefined || !isDenied(error)) throw error;
        onUnreadable(key);
        return [];
      });
      yield* walk(root, key, after, below, onUnreadable);
    }
  }
}

/** Names of files, and of folders with a slash behind, in order; nothing where there is no such folder. */
async function steps(folder: string): Promise<string[]> {
  const names = (await entries(folder))
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map((entry) => Buffer.from(entry.isDirectory() ? `${entry.name}/` : entry.name));
  return names.sort(Buffer.compare).map(String);
}

async function entries(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
}
