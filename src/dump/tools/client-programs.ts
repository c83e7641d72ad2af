import { execFile } from 'node:child_process';
import { access, constants, readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { ThawError } from '../../contract/thaw-error.ts';

/** The client programs of one PostgreSQL. */
export interface Programs {
  readonly psql: string;
  readonly pgRestore: string;
  readonly pgDump: string;
  /** As pg_restore tells it, such as `15.18` or `18beta1`. */
  readonly version: string;
  readonly major: number;
}

/** What programs have to be. */
export interface ProgramsWanted {
  /** Major version of the dump or of the server, whichever is newer: older programs know neither. Null: any. */
  readonly atLeast: number | null;
}

/** Where packages of Linux distributions and of Homebrew put each version; the names of the folders hold it. */
const packageFolders = ['/usr/lib/postgresql', '/usr', '/opt/homebrew/opt', '/usr/local/opt'];
const packageFolder = /^(?:pgsql-|postgresql@)?\d+$/;

/**
 * Finds psql, pg_restore and pg_dump: in the folder `PG_BIN` alone where it is set, else on `PATH` and in the
 * folders of distributions. Of several versions the oldest that will do is taken, since a newer pg_restore
 * asks an older server for settings that it does not know.
 *
 * @throws ThawError `ConfigInvalid` where none is installed, or only older ones, naming those
 */
export async function findPrograms(env: NodeJS.ProcessEnv, wanted: ProgramsWanted): Promise<Programs> {
  const found: Programs[] = [];
  for (const folder of await programFolders(env)) {
    const programs = await programsIn(folder);
    if (programs !== null) found.push(programs);
  }
  const { atLeast } = wanted;
  const enough = found.filter(({ major }) => atLeast === null || major >= atLeast);
  // The first of several of one version: PATH is the user's own choice.
  const [first] = atLeast === null ? enough : enough.toSorted((a, b) => a.major - b.major);
  if (first !== undefined) return first;
  throw missing(env.PG_BIN, found, atLeast);
}

/** Whether psql knows `\restrict`, by the releases that brought it: 13.22, 14.19, 15.14, 16.10, 17.6, 18. */
export function knowsRestrict({ version, major }: Programs): boolean {
  const first: Readonly<Record<number, number>> = { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 };
  if (major >= 18) return true;
  const minor = Number(/^\d+\.(\d+)/.exec(version)?.[1] ?? -1);
  return minor >= (first[major] ?? Number.POSITIVE_INFINITY);
}

/** The folders in which programs of PostgreSQL are looked for. */
export async function programFolders(env: NodeJS.ProcessEnv): Promise<string[]> {
  return env.PG_BIN ? [env.PG_BIN] : [...pathFolders(env), ...(await versionedFolders())];
}

function pathFolders(env: NodeJS.ProcessEnv): string[] {
  return (env.PATH ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder));
}

async function versionedFolders(): Promise<string[]> {
  const lists = packageFolders.map(async (parent) => {
    const names = await readdir(parent).catch(() => []);
    return names.filter((name) => packageFolder.test(name)).map((name) => path.join(parent, name, 'bin'));
  });
  return (await Promise.all(lists)).flat().toSorted((a, b) => majorOf(b) - majorOf(a));
}

/** The programs of a folder; null unless all three are there and can be run. */
async function programsIn(folder: string): Promise<Programs | null> {
  const at = (name: string) => path.join(folder, name);
  const programs = { psql: at('psql'), pgRestore: at('pg_restore'), pgDump: at('pg_dump') };
  if (!(await Promise.all(Object.values(programs).map(isProgram))).every(Boolean)) return null;
  const version = await versionOf(programs.pgRestore);
  return version === null ? null : { ...programs, version, major: majorOf(version) };
}

/** Debian's wrapper does not count: it chooses a version by settings of the user, and the real ones lie beside it. */
export async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return path.basename(await realpath(file)) !== 'pg_wrapper';
  } catch {
    return false;
  }
}

/** What `--version` says; null for what is no program of PostgreSQL, or broken. */
export async function versionOf(file: string): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)(file, ['--version'], {
      env: { LC_ALL: 'C' },
      timeout: 10_000,
    });
    return /\(PostgreSQL\) (\d+\S*)/.exec(stdout)?.[1] ?? null;
  } catch {
    return null;
  }
}

/** The major version in a text. */
export function majorOf(text: string): number {
  return Number(/\d+/.exec(text)?.[0] ?? 0);
}

function missing(folder: string | undefined, found: readonly Programs[], atLeast: number | null): ThawError {
  const place = folder ? `the folder PG_BIN (${folder})` : 'PATH and the folders of PostgreSQL';
  const versions = [...new Set(found.map(({ version }) => version))];
  const wanted = atLeast === null ? '' : ` of version ${atLeast} or newer`;
  const have = versions.length === 0 ? '' : `, only ${versions.join(', ')}`;
  return new ThawError(
    'ConfigInvalid',
    `${place} ${folder ? 'has' : 'have'} no psql, pg_restore and pg_dump${wanted}${have}`,
    {
      object: folder ? 'PG_BIN' : 'PATH',
      hint: `Install the client programs of PostgreSQL (Debian: postgresql-client${atLeast === null ? '' : `-${atLeast}`}), or name the folder where they lie in PG_BIN.`,
    },
  );
}
