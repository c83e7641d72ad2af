import { mkdir, stat, truncate } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ThawError } from '../contract/thaw-error.ts';
import { toolSources } from './tool-source.ts';

/** 8 MiB: some ten thousand warnings. */
const largestLog = 8 * 1024 * 1024;

/** Where the server of `thaw restore` keeps what. */
export interface StandalonePlace {
  readonly folder: string;
  /** Held while the server is looked for, started or stopped. */
  readonly lock: string;
  /** Which server runs, see `ServerRecord`. */
  readonly record: string;
  /** A file for each command that uses the server. */
  readonly users: string;
  /** What the server prints. */
  readonly log: string;
}

/**
 * Makes the folders below the state folder, readable by their owner only. A new version of the Temporal CLI begins
 * in a folder of its own, since it does not migrate the database of an older one.
 */
export async function makePlace(stateDir: string): Promise<StandalonePlace> {
  const folder = join(resolve(stateDir), `temporal-${toolSources.temporal.version}`);
  // The server decodes %41 in the name of its database and cuts it at ? and #: it would use some other file.
  if (/[%?#]/.test(folder)) {
    throw new ThawError('ConfigInvalid', `Temporal cannot keep its database in ${folder}`, {
      object: folder,
      hint: 'Choose a folder without %, ? and # by --state-dir or THAW_STATE_DIR.',
    });
  }
  const users = join(folder, 'users');
  await mkdir(users, { recursive: true, mode: 0o700 });
  return {
    folder,
    lock: join(folder, 'lock'),
    record: join(folder, 'server.json'),
    users,
    log: join(folder, 'server.log'),
  };
}

/** Empties a log that has grown large. A running server appends, so it goes on at the new end. */
export async function trimLog(place: StandalonePlace): Promise<void> {
  if ((await sizeOf(place.log)) > largestLog) await truncate(place.log);
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
