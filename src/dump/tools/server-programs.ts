import path from 'node:path';
import { ThawError } from '../../contract/thaw-error.ts';
import { isProgram, majorOf, programFolders, versionOf } from './client-programs.ts';

/** The server programs of one PostgreSQL. */
export interface ServerPrograms {
  readonly pgCtl: string;
  readonly pgControldata: string;
  /** Null before PostgreSQL 13. */
  readonly pgVerifybackup: string | null;
  readonly version: string;
  readonly major: number;
}

/**
 * Finds postgres, pg_ctl and pg_controldata of one major version, since only that can run a cluster: in the folder
 * `PG_BIN` alone where it is set, else on `PATH` and in the folders of distributions.
 *
 * @throws ThawError `ConfigInvalid` where they are not installed, naming the versions that are
 */
export async function findServerPrograms(env: NodeJS.ProcessEnv, major: number): Promise<ServerPrograms> {
  const versions = new Set<string>();
  for (const folder of await programFolders(env)) {
    const programs = await programsIn(folder);
    if (programs?.major === major) return programs;
    if (programs !== null) versions.add(programs.version);
  }
  const have = versions.size === 0 ? '' : `, only ${[...versions].join(', ')}`;
  const place = env.PG_BIN
    ? `the folder PG_BIN (${env.PG_BIN}) has`
    : 'PATH and the folders of PostgreSQL have';
  throw new ThawError('ConfigInvalid', `${place} no server programs of PostgreSQL ${major}${have}`, {
    object: env.PG_BIN ? 'PG_BIN' : 'PATH',
    hint: `A base backup runs on its own major version alone. Install it (Debian: postgresql-${major}), or name the folder where its programs lie in PG_BIN.`,
  });
}

async function programsIn(folder: string): Promise<ServerPrograms | null> {
  const at = (name: string) => path.join(folder, name);
  const needed = ['postgres', 'pg_ctl', 'pg_controldata'].map(at);
  if (!(await Promise.all(needed.map(isProgram))).every(Boolean)) return null;
  const version = await versionOf(at('postgres'));
  if (version === null) return null;
  const verify = at('pg_verifybackup');
  return {
    ...{ pgCtl: at('pg_ctl'), pgControldata: at('pg_controldata'), version, major: majorOf(version) },
    pgVerifybackup: (await isProgram(verify)) ? verify : null,
  };
}
