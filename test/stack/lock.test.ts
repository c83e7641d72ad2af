import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryLock, withLock } from '../../src/stack/lock.ts';
import { formatMark, markOfThisProcess } from '../../src/stack/process-identity.ts';

let folder: string;
let lock: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thaw-lock-'));
  lock = join(folder, 'lock');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const silent = { holder: 'which tests', log: () => undefined };

/** A mark as a process leaves it that had our pid before us: the pid lives, but it is not the holder. */
function deadMark(nonce: string): string {
  return formatMark({ ...markOfThisProcess(), startedAt: 'long ago', nonce });
}

/** Lets many take the lock, one shortly after the other; gives how many held it at the same time at most. */
async function contend(contenders: number): Promise<number> {
  let holders = 0;
  let most = 0;
  const hold = async () => {
    holders++;
    most = Math.max(most, holders);
    await turns(40);
    holders--;
  };
  const takeAndHold = async (place: number) => {
    await turns(place);
    await withLock(lock, silent, hold);
  };
  await Promise.all(Array.from({ length: contenders }, (_, place) => takeAndHold(place)));
  return most;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate();
}

describe('withLock', () => {
  it('lets in one at a time', async () => {
    expect(await contend(20)).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it('lets in one at a time when all find the lock of a dead process', async () => {
    for (let round = 0; round < 5; round++) {
      await symlink(deadMark('a1'), lock);
      expect(await contend(8)).toBe(1);
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it('passes over somebody who died while breaking the lock of a dead process', async () => {
    await symlink(deadMark('a1'), lock);
    await symlink(deadMark('b2'), `${lock}.a1`);
    expect(await contend(8)).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is free again after the action failed', async () => {
    const failing = withLock(lock, silent, () => Promise.reject(new Error('failed')));
    await expect(failing).rejects.toThrow('failed');
    expect(await withLock(lock, silent, async () => 'had')).toBe('had');
  });

  it('gives up waiting when told to, with the reason, and does not act', async () => {
    const abort = new AbortController();
    let acted = false;
    await withLock(lock, silent, async () => {
      const waiting = withLock(lock, { ...silent, signal: abort.signal }, async () => {
        acted = true;
      });
      abort.abort(new Error('interrupted'));
      await expect(waiting).rejects.toThrow('interrupted');
    });
    expect(acted).toBe(false);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('tryLock', () => {
  it('is had by one, and free after its release', async () => {
    const first = await tryLock(lock);
    expect(await tryLock(lock)).toEqual({ heldBy: process.pid });
    if ('release' in first) first.release();
    expect('release' in (await tryLock(lock))).toBe(true);
  });

  it('breaks the lock of a dead process, also when its pid was given away', async () => {
    await symlink(deadMark('a1'), lock);
    expect('release' in (await tryLock(lock))).toBe(true);
  });

  it('is not released twice: by then it may be the lock of another', async () => {
    const first = await tryLock(lock);
    if (!('release' in first)) throw new Error('held');
    first.release();
    const second = await tryLock(lock);
    first.release();
    expect(await tryLock(lock)).toEqual({ heldBy: process.pid });
    if ('release' in second) second.release();
  });

  it('leaves alone what is no lock', async () => {
    await writeFile(lock, 'notes');
    await expect(tryLock(lock)).rejects.toThrow('is not a lock of Thaw');
  });
});
