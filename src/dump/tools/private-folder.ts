import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { ThawError } from '../../contract/thaw-error.ts';
import { formatMark, isAlive, markOfThisProcess, parseMark } from '../../stack/process-identity.ts';

const prefix = 'thaw-dump-';

/** Where folders for dumps and passwords are made: `THAW_SPOOL_DIR`, else the system's folder for temporary files. */
export function spoolPlace(env: NodeJS.ProcessEnv): string {
  return path.resolve(env.THAW_SPOOL_DIR || tmpdir());
}

/**
 * Does something with a folder that only this user may enter, and removes it with all that lies in it,
 * whatever happens. Folders that dead processes of this machine left behind are removed first.
 *
 * @throws ThawError `ConfigInvalid` where it cannot be made, and what the action throws
 */
export async function withPrivateFolder<T>(
  env: NodeJS.ProcessEnv,
  action: (folder: string) => Promise<T>,
): Promise<T> {
  const place = spoolPlace(env);
  await sweep(place);
  const folder = path.join(place, `${ownPrefix()}${formatMark(markOfThisProcess())}`);
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new ThawError('ConfigInvalid', `no folder can be made in ${place} (${reason})`, {
      object: 'THAW_SPOOL_DIR',
      hint: 'Name a folder that Thaw may write to in THAW_SPOOL_DIR.',
      cause,
    });
  }
  try {
    return await action(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Containers may share the place and have each its own numbers of processes; so the name of the machine belongs to the mark. */
function ownPrefix(): string {
  return `${prefix}${encodeURIComponent(hostname())}~`;
}

async function sweep(place: string): Promise<void> {
  const own = ownPrefix();
  for (const name of await readdir(place).catch(() => [])) {
    const mark = name.startsWith(own) ? parseMark(name.slice(own.length)) : null;
    if (mark === null || isAlive(mark)) continue;
    const folder = path.join(place, name);
    if (await isOurs(folder)) await rm(folder, { recursive: true, force: true });
  }
}

/** In a folder that all users share, another one may have made something of this name. */
async function isOurs(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => null);
  return found?.isDirectory() === true && found.uid === process.getuid?.();
}
