import { access } from 'node:fs/promises';
import path from 'node:path';
import { ThawError } from '../../contract/thaw-error.ts';
import { runProgram } from '../tools/run-program.ts';
import type { ServerPrograms } from '../tools/server-programs.ts';
import { baseHint } from './hints.ts';

/**
 * Has pg_verifybackup compare every file with the manifest: names, sizes, checksums.
 *
 * @returns false where there is no manifest, or no such program
 * @throws ThawError `ArchiveCorrupt` naming the first files that differ
 */
export async function verifyBase(
  { pgVerifybackup: program }: ServerPrograms,
  data: string,
  object: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<boolean> {
  const hasManifest = await access(path.join(data, 'backup_manifest')).then(
    () => true,
    () => false,
  );
  if (program === null || !hasManifest) return false;
  const said: string[] = [];
  const end = await runProgram({
    program,
    // The WAL is looked at elsewhere, and lies elsewhere.
    args: ['--no-parse-wal', data],
    env: { PATH: env.PATH, LC_ALL: 'C' },
    signal,
    onMessage: (line) => {
      if (said.length < 5) said.push(line.replace(/^pg_verifybackup: (?:error: )?/, ''));
    },
  });
  if (end.code === 0) return true;
  throw new ThawError('ArchiveCorrupt', `${object} is not what its manifest says: ${said.join('; ')}`, {
    object,
    hint: baseHint,
  });
}
