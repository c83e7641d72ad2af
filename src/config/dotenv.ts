import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { ThawError } from '../contract/thaw-error.ts';

/**
 * Where the scripts of the procedures look: beside them, and in the folder above.
 */
const places = ['.env', join('..', '.env')];

/**
 * The environment, with what a `.env` file says where the environment says nothing: that of the folder, else
 * that of the folder above. A value with `#` in it has to be quoted there.
 *
 * @param folder @default the current one
 * @throws ThawError `ConfigInvalid` where it cannot be read
 */
export async function withDotenv(env: NodeJS.ProcessEnv, folder = '.'): Promise<NodeJS.ProcessEnv> {
  for (const place of places) {
    const text = await readText(resolve(folder, place));
    if (text !== null) return { ...parseEnv(text.replace(/^\ufeff/, '')), ...env };
  }
  return env;
}

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    if (code === 'ENOENT' || code === 'EISDIR') return null;
    throw new ThawError('ConfigInvalid', `${path}: cannot be read (${code})`, {
      object: path,
      hint: `Make ${path} readable for this user, or run the command in another folder.`,
      cause: error,
    });
  }
}
