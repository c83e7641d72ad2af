import { readlink, rm, symlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ThawError } from '../contract/thaw-error.ts';
import { formatMark, isAlive, markOfThisProcess, type ProcessMark, parseMark } from './standalone-process.ts';

/** How to wait for the lock. */
export interface LockOptions {
  /** Is told once, after two seconds, whom the wait is for. */
  log(line: string): void;
  readonly signal?: AbortSignal | undefined;
}

const pollMs = 50;
const silentMs = 2_000;

/**
 * Does something while holding a lock between processes, and between calls within one.
 *
 * The lock is a symbolic link whose target text names its holder: made in one step with its content, and
 * only by one. It counts as long as the holder lives, so a process that was killed leaves no lock behind.
 * Rejects with the signal's reason when that is aborted during the wait; the action is left alone then.
 */
export async function withServerLock<T>(
  path: string,
  options: LockOptions,
  action: () => Promise<T>,
): Promise<T> {
  await takeLock(path, options);
  try {
    return await action();
  } finally {
    await rm(path, { force: true });
  }
}

async function takeLock(path: string, options: LockOptions): Promise<void> {
  const mark = await markOfThisProcess();
  const begin = Date.now();
  let told = false;
  for (;;) {
    options.signal?.throwIfAborted();
    if (await createLock(path, mark)) return;
    const holder = await readHolder(path);
    if (holder === null) continue;
    if (!(await isAlive(holder))) {
      await breakLock(path, holder, options);
      continue;
    }
    if (!told && Date.now() - begin > silentMs) {
      options.log(`waiting for process ${holder.pid}, which is starting or stopping the Temporal server`);
      told = true;
    }
    await sleep(pollMs);
  }
}

/**
 * Takes a dead holder's lock away. Two who find it dead must not both remove it: the slower one would remove
 * the lock that the faster one has taken by then. So the right to remove is itself a lock, one for each dead
 * holder, under which is looked again.
 */
async function breakLock(path: string, dead: ProcessMark, options: LockOptions): Promise<void> {
  await withServerLock(`${path}.${dead.nonce}`, options, async () => {
    const holder = await readHolder(path);
    if (holder?.nonce === dead.nonce) await rm(path);
  });
}

async function createLock(path: string, mark: ProcessMark): Promise<boolean> {
  try {
    await symlink(formatMark(mark), path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Null when the lock was released meanwhile. */
async function readHolder(path: string): Promise<ProcessMark | null> {
  const text = await readTarget(path);
  if (text === null) return null;
  const holder = parseMark(text);
  if (holder === null) {
    throw new ThawError('ConfigInvalid', `${path} is not a lock of Thaw`, {
      object: path,
      hint: 'Take the file away and try again.',
    });
  }
  return holder;
}

async function readTarget(path: string): Promise<string | null> {
  try {
    return await readlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
