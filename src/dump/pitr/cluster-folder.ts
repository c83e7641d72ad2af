import { lchown, lstat, mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ThawError } from '../../contract/thaw-error.ts';
import { postgresUser, reachable } from '../../stack/postgres-user.ts';
import type { ProcessUser } from '../../stack/process.ts';

/** The folder of a new cluster. All that a recovery makes lies in it. */
export interface ClusterFolder {
  /** Also that of its Unix socket: nobody else may enter it. */
  readonly into: string;
  /** What PostgreSQL calls PGDATA. */
  readonly data: string;
  readonly tablespaces: string;
  /** WAL that was fetched. */
  readonly wal: string;
  readonly log: string;
  readonly mark: string;
}

/** What tells whose folder it is, as long as it is worked on. */
export interface ClusterMark {
  readonly restoreId: string;
  /** Whether the folder itself was made. */
  readonly madeFolder: boolean;
  /** Whether recovery was asked of the server: once it is over, it must not begin again. */
  readonly isBegun: boolean;
}

/** Bytes of the longest path: the name of a Unix socket, with what is put behind, has at most 107. */
const longestPath = 84;

export function clusterFolder(into: string): ClusterFolder {
  const at = (name: string) => path.join(into, name);
  return {
    into,
    ...{ data: at('data'), tablespaces: at('tablespaces'), wal: at('wal') },
    ...{ log: at('server.log'), mark: at('thaw.json') },
  };
}

/**
 * Sees that a new cluster may be made there, and touches nothing.
 *
 * @throws ThawError `InputInvalid` for what is there already, and for places that will not do; `TargetBusy` for that of
 * another recovery
 */
export async function checkFolder(into: string, restoreId: string): Promise<void> {
  const refuse = (what: string, hint: string) =>
    new ThawError('InputInvalid', `${into}: ${what}`, { object: into, hint });
  if (Buffer.byteLength(into) > longestPath || /[\n\r\0]/.test(into)) {
    throw refuse(
      `the path has more than ${longestPath} bytes, or a line break`,
      'Name a shorter one: the Unix socket of the cluster lies there.',
    );
  }
  const parent = path.dirname(into);
  const above = await lstat(parent).catch(() => null);
  if (above === null)
    throw refuse(`${parent} does not exist`, 'Make it, on a disk with room for the cluster.');
  if (!reachable(parent, postgresUser())) {
    throw refuse(
      `PostgreSQL, which does not run as root, cannot get there`,
      'Name a folder below one that everybody may enter, such as /var/lib/postgresql.',
    );
  }
  const mark = await readMark(into);
  if (mark?.restoreId === restoreId) return;
  if (mark !== null) {
    throw new ThawError('TargetBusy', `restore ${mark.restoreId} makes a cluster in ${into}`, {
      object: into,
      hint: 'Wait for it (`thaw watch`), or cancel it. Where Temporal has lost it, remove the folder.',
    });
  }
  const found = await lstat(into).catch(() => null);
  if (found === null) return;
  if (!found.isDirectory()) throw refuse('it is no folder', 'Name one that is not there yet.');
  if ((await readdir(into)).length > 0) {
    throw refuse(
      'the folder is not empty',
      'Name one that is empty or not there yet: no cluster is ever written over.',
    );
  }
}

/** Makes the folder, and marks it as that of a restore. @throws what {@link checkFolder} throws */
export async function claimFolder(into: string, restoreId: string): Promise<void> {
  await checkFolder(into, restoreId);
  if ((await readMark(into)) !== null) return;
  const made = await mkdir(into, { mode: 0o700 }).then(
    () => true,
    () => false,
  );
  await writeMark(into, { restoreId, madeFolder: made, isBegun: false });
}

/** The mark of a folder; null where it has none. */
export async function readMark(into: string): Promise<ClusterMark | null> {
  const text = await readFile(clusterFolder(into).mark, 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as ClusterMark);
}

export async function writeMark(into: string, mark: ClusterMark): Promise<void> {
  const file = clusterFolder(into).mark;
  await writeFile(`${file}.new`, JSON.stringify(mark), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/**
 * Sees that this worker has the folder of a restore.
 *
 * @throws ThawError `ConfigInvalid` where it has not
 */
export async function requireFolder(into: string, restoreId: string): Promise<ClusterMark> {
  const mark = await readMark(into);
  if (mark?.restoreId === restoreId) return mark;
  throw new ThawError('ConfigInvalid', `${into} is not on the machine of this worker`, {
    object: into,
    hint: 'Steps of one recovery were given to workers of several machines: run one of them on a task queue of its own, and name that by --task-queue.',
  });
}

/** Removes what a restore has made, and the folder itself where it has made that, too. */
export async function removeFolder(into: string, { madeFolder }: ClusterMark): Promise<void> {
  for (const name of await readdir(into)) {
    if (name !== 'thaw.json')
      await rm(path.join(into, name), { recursive: true, force: true, maxRetries: 3 });
  }
  // Last, so that an attempt that is broken off leaves it to the next one.
  await rm(clusterFolder(into).mark, { force: true });
  if (madeFolder) await rmdir(into);
}

/** Gives all that lies there to the user of PostgreSQL, the folder itself last: until then nobody else can change it. */
export async function giveTo(folder: string, user: ProcessUser | null): Promise<void> {
  if (user === null) return;
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) await giveTo(file, user);
    else await lchown(file, user.uid, user.gid);
  }
  await lchown(folder, user.uid, user.gid);
}
