import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forgetRestore, recallRestore, rememberRestore } from '../../src/stack/restore-memory.ts';

let stateDir: string;

beforeEach(async () => {
  stateDir = join(await mkdtemp(join(tmpdir(), 'thaw-memory-')), 'state');
});

afterEach(() => rm(join(stateDir, '..'), { recursive: true, force: true }));

const key = { temporal: 'standalone/default', command: 'c1' };
const restore = { restoreId: 'r-1', startedAt: '2026-01-04T12:00:00.000Z' };

describe('the memory of restores', () => {
  it('knows nothing of a command that was never given', async () => {
    expect(await recallRestore(stateDir, key)).toBeNull();
  });

  it('recalls what the same command began, and the later of two', async () => {
    await rememberRestore(stateDir, key, restore);
    expect(await recallRestore(stateDir, key)).toEqual(restore);
    await rememberRestore(stateDir, key, { ...restore, restoreId: 'r-2' });
    expect(await recallRestore(stateDir, key)).toEqual({ ...restore, restoreId: 'r-2' });
    expect(await readdir(join(stateDir, 'restores'))).toHaveLength(1);
  });

  it('keeps apart commands, and the same command at another Temporal', async () => {
    await rememberRestore(stateDir, key, restore);
    expect(await recallRestore(stateDir, { ...key, command: 'c2' })).toBeNull();
    expect(await recallRestore(stateDir, { ...key, temporal: 'localhost:7233/default' })).toBeNull();
  });

  it('forgets it when told to, and only it', async () => {
    const other = { ...key, command: 'c2' };
    await rememberRestore(stateDir, key, restore);
    await rememberRestore(stateDir, other, restore);
    await forgetRestore(stateDir, key);
    await forgetRestore(stateDir, key);
    expect(await recallRestore(stateDir, key)).toBeNull();
    expect(await recallRestore(stateDir, other)).toEqual(restore);
  });

  it('does not take something else for a memory', async () => {
    await rememberRestore(stateDir, key, restore);
    const [name = ''] = await readdir(join(stateDir, 'restores'));
    await writeFile(join(stateDir, 'restores', name), '{"restoreId": 1}');
    await expect(recallRestore(stateDir, key)).rejects.toMatchObject({ code: 'ConfigInvalid' });
  });
});
