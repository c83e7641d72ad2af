import { lstatSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ThawError } from '../contract/thaw-error.ts';
import { formatMark, isAlive, markOfThisProcess, type ProcessMark, parseMark } from './process-identity.ts';

/** A lock that is held. */
export interface Lock {
  release(): void;
}

/** How to wait for a lock. */
export interface LockOptions {
  /** What its holder does, for those who wait, such as `which is starting the Temporal server`. */
  readonly holder: string;
  /** Is told whom the wait is for, after two seconds and then every fifteen. */
  log(line: string): void;
  readonly signal?: AbortSignal | undefined;
}

const pollMs = 50;
const silentMs = 2_000;
const tellEveryMs = 15_000;

/**
 * Takes a lock between processes, and between takers within one; gives the holder's pid when another has it.
 *
 * The lock is a symbolic link whose target text names its holder: made in one step with its content, and
 * only by one. It counts as long as the holder lives, so a process that was killed leaves no lock behind.
 *
 * Errors: `ConfigInvalid` when something else lies there.
 */
export async function tryLock(path: string): Promise<Lock | { readonly heldBy: number }> {
  mkdirSync(dirname(path), { recursive: true });
  const mark = markOfThisProcess();
  for (;;) {
    if (createLock(path, mark)) return { release: () => removeLock(path, mark) };
    const holder = readHolder(path);
    if (holder === null) continue;
    if (isAlive(holder)) return { heldBy: holder.pid };
    await breakLock(path, holder);
  }
}

/**
 * Does something while holding a lock, for which it waits. Rejects with the signal's reason when that is
 * aborted during the wait; the action is left alone then.
 */
export async function withLock<T>(path: string, options: LockOptions, action: () => Promise<T>): Promise<T> {
  const lock = await waitForLock(path, options);
  try {
    return await action();
  } finally {
    lock.release();
  }
}

async function waitForLock(path: string, { holder, log, signal }: LockOptions): Promise<Lock> {
  let tellAt = Date.now() + silentMs;
  for (;;) {
    signal?.throwIfAborted();
    const lock = await tryLock(path);
    if ('release' in lock) return lock;
    if (Date.now() > tellAt) {
      log(`waiting for process ${lock.heldBy}, ${holder}`);
      tellAt = Date.now() + tellEveryMs;
    }
    await sleep(pollMs);
  }
}

/**
 * Takes a dead holder's lock away. Two who find it dead must not both remove it: the slower one would remove
 * the lock that the faster one has taken by then. So the right to remove is itself a lock, one for each dead
 * holder, under which is looked again.
 */
async function breakLock(path: string, dead: ProcessMark): Promise<void> {
  const silent = { holder: 'which breaks a lock', log: () => undefined };
  await withLock(`${path}.${dead.nonce}`, silent, async () => removeLock(path, dead));
}

/** Leaves alone what somebody else has taken by now. */
function removeLock(path: string, mark: ProcessMark): void {
  if (readHolder(path)?.nonce === mark.nonce) rmSync(path, { force: true });
}

function createLock(path: string, mark: ProcessMark): boolean {
  try {
    symlinkSync(formatMark(mark), path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Null when the lock was released meanwhile. */
function readHolder(path: string): ProcessMark | null {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  const text = found.isSymbolicLink() ? readTarget(path) : '';
  const holder = text === null ? null : parseMark(text);
  if (text === null || holder !== null) return holder;
  throw new ThawError('ConfigInvalid', `${path} is not a lock of Thaw`, {
    object: path,
    hint: 'Take the file away and try again.',
  });
}

function readTarget(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
