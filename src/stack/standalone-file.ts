import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { ThawError } from '../contract/thaw-error.ts';

/**
 * Writes a value as JSON, so that after a crash or a power failure the file is the old one or the new one,
 * and once this resolves the new one. Mode 0600.
 */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(value, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Reads JSON of a known shape; null when there is no such file. Throws `ConfigInvalid` on anything else in it. */
export async function readJson<T>(path: string, shape: z.ZodType<T>): Promise<T | null> {
  const text = await readText(path);
  if (text === null) return null;
  try {
    return shape.parse(JSON.parse(text));
  } catch (cause) {
    throw new ThawError('ConfigInvalid', `${path} is not what Thaw wrote there`, {
      object: path,
      hint: 'Take the file away and try again.',
      cause,
    });
  }
}

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** The rename is in the folder, which has to reach the disk as well. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
