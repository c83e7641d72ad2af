import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withPrivateFolder } from '../../../src/dump/tools/private-folder.ts';
import { describeProcess, formatMark } from '../../../src/stack/process-identity.ts';

let place: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'thaw-test-'));
  env = { THAW_SPOOL_DIR: place };
});

afterAll(() => rm(place, { recursive: true }));

test('is for this user only, and removed on every way out', async () => {
  const { folder, mode } = await withPrivateFolder(env, async (folder) => {
    await mkdir(join(folder, 'deep'));
    await writeFile(join(folder, 'deep', 'file'), 'x');
    return { folder, mode: (await stat(folder)).mode & 0o777 };
  });
  expect(mode).toBe(0o700);
  expect(folder.startsWith(`${place}/thaw-dump-`)).toBe(true);
  const failing = withPrivateFolder(env, () => Promise.reject(new Error('broken')));
  await expect(failing).rejects.toThrow('broken');
  expect(await readdir(place)).toEqual([]);
});

test('what a dead process left behind is removed, what a live one has is not', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(child, 'spawn');
  const identity = describeProcess(child.pid ?? 0);
  expect(identity).not.toBeNull();
  const mark = formatMark({ pid: 0, startedAt: '', ...identity, nonce: 'ab' });
  const left = join(place, `thaw-dump-${encodeURIComponent(hostname())}~${mark}`);
  const others = join(place, `thaw-dump-other-host~${mark}`);
  for (const folder of [left, others]) await mkdir(folder);
  await writeFile(join(left, 'passfile'), 'secret');

  await withPrivateFolder(env, async () => undefined);
  expect(await readdir(place)).toHaveLength(2);

  child.kill('SIGKILL');
  await once(child, 'exit');
  await withPrivateFolder(env, async () => undefined);
  expect(await readdir(place)).toEqual([`thaw-dump-other-host~${mark}`]);
});

test('a place that cannot be written to is named', async () => {
  const nowhere = { THAW_SPOOL_DIR: join(place, 'nowhere') };
  await expect(withPrivateFolder(nowhere, async () => undefined)).rejects.toMatchObject({
    code: 'ConfigInvalid',
    object: 'THAW_SPOOL_DIR',
    message: expect.stringContaining(`${join(place, 'nowhere')} (ENOENT)`),
  });
});
