import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { thawHere } from './thaw-here.ts';

let site: TestThaw;
let restoreId: string;

beforeAll(async () => {
  site = await createTestThaw('control', 'no worker');
  const request = site.request(['audit_logs']);
  await site.restores.start(request);
  restoreId = request.restoreId;
});

afterAll(() => site?.close());

function env(address: string): NodeJS.ProcessEnv {
  const { THAW_CONFIG: _, TEMPORAL_NAMESPACE: __, ...rest } = process.env;
  return { ...rest, TEMPORAL_ADDRESS: address };
}

test('where no worker is, a restore can be cancelled, and everything else says what is missing', async () => {
  const asked = ['pause', 'status'].map((command) =>
    thawHere([command, restoreId], env(site.temporal.address)),
  );
  for (const { exitCode, stdout, stderr } of await Promise.all(asked)) {
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^TemporalUnavailable: no worker answers for the restore\nhint: Start `thaw worker` .*\n$/,
      ),
    });
  }
  expect(await thawHere(['cancel', restoreId], env(site.temporal.address))).toMatchObject({ exitCode: 0 });
});

test('a restore that Temporal does not know is told from one that is silent', async () => {
  for (const command of ['pause', 'resume', 'cancel', 'status', 'watch']) {
    expect(await thawHere([command, 'nobody'], env(site.temporal.address))).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(
        /^InputInvalid: no restore nobody is (known|running).*\nhint: .*(thaw status|--config)/i,
      ),
    });
  }
});

test('where no Temporal server is, every one of them says so', async () => {
  const stateDir = await mkdtemp(path.join(tmpdir(), 'thaw-control-'));
  for (const command of ['pause', 'resume', 'cancel', 'watch']) {
    expect(await thawHere([command, 'nobody'], { ...env(''), THAW_STATE_DIR: stateDir })).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^InputInvalid: nothing is running.*\nhint: Set TEMPORAL_ADDRESS /),
    });
  }
  await rm(stateDir, { recursive: true });
});
