import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ThawError } from '../../contract/thaw-error.ts';
import { postgresUser } from '../../stack/postgres-user.ts';
import { findServerPrograms } from '../tools/server-programs.ts';
import { clusterFolder, readMark, removeFolder } from './cluster-folder.ts';
import { type ClusterControl, stopCluster } from './cluster-server.ts';

/**
 * What starts and stops the cluster that was unpacked into a folder.
 *
 * @throws ThawError `ConfigInvalid` where programs of its version are not installed, or nothing was unpacked there
 */
export async function clusterControl(into: string, env: NodeJS.ProcessEnv): Promise<ClusterControl> {
  const folder = clusterFolder(into);
  const version = await readFile(path.join(folder.data, 'PG_VERSION'), 'utf8').catch(() => null);
  if (version === null) {
    throw new ThawError('ConfigInvalid', `${folder.data} holds no cluster`, {
      object: folder.data,
      hint: 'Somebody has removed it meanwhile: recover again.',
    });
  }
  const programs = await findServerPrograms(env, Number(version));
  return { programs, folder, user: postgresUser(), env };
}

/**
 * Stops the server of a restore that came to no good end, and removes all that it has made.
 */
export async function discardCluster(
  into: string,
  restoreId: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<void> {
  const mark = await readMark(into);
  if (mark?.restoreId !== restoreId) return;
  if (mark.isBegun) await stopCluster(await clusterControl(into, env), signal);
  await removeFolder(into, mark);
}
