import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { ThawError } from '../contract/thaw-error.ts';
import type { ProcessUser } from './process.ts';

/** Where root's PostgreSQL keeps what its user could not reach in root's own folders. */
const rootFolder = '/var/lib/thaw';

/**
 * The user that PostgreSQL runs as: null for the one who runs this, and for root, whom PostgreSQL
 * refuses, `postgres` where there is such a user, else `nobody`. No user is ever added to the machine.
 *
 * Errors: `ConfigInvalid` when root finds neither.
 */
export function postgresUser(): ProcessUser | null {
  if (process.getuid?.() !== 0) return null;
  const user = userNamed('postgres') ?? userNamed('nobody');
  if (user !== null) return user;
  throw new ThawError('ConfigInvalid', 'PostgreSQL does not run as root, and no other user was found', {
    hint: 'Run it as an ordinary user, or add a user named postgres.',
  });
}

/**
 * A folder that the user owns, for data that lies at `wanted`. Where the user cannot get there, for
 * instance below root's home with mode 0700, the data lies in /var/lib/thaw under `id` instead.
 */
export function folderOf(user: ProcessUser | null, wanted: string, id: string): string {
  const folder = reachable(path.dirname(wanted), user) ? wanted : path.join(rootFolder, id);
  mkdirSync(path.dirname(folder), { recursive: true, mode: 0o755 });
  if (!existsSync(folder)) {
    mkdirSync(folder, { mode: 0o700 });
    if (user !== null) chownSync(folder, user.uid, user.gid);
  }
  return folder;
}

/** Tells whether the user may pass through a folder and all above it; null: whoever runs this may. */
export function reachable(folder: string, user: ProcessUser | null): boolean {
  if (user === null) return true;
  const { mode, uid, gid } = statSync(folder);
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
  const parent = path.dirname(folder);
  return (mode & bit) !== 0 && (parent === folder || reachable(parent, user));
}

function userNamed(name: string): ProcessUser | null {
  try {
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })),
    );
    return uid === undefined || gid === undefined ? null : { uid, gid };
  } catch {
    return null;
  }
}
