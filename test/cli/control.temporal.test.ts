import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { thaw } from './thaw-command.ts';

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

/** Runs a command in this process, to its end or its error. */
async function run(args: readonly string[], inEnv: NodeJS.ProcessEnv): Promise<void> {
  const print = () => {};
  const printer = { isTerminal: false, stream: process.stdout, line: print, aside: print, log: print };
  await createProgram({ env: inEnv, printer, end: () => {} }).parseAsync(args, { from: 'user' });
}

test('where no worker is, a restore can be cancelled, and everything else says what is missing', async () => {
  const asked = ['pause', 'status'].map((command) => thaw([command, restoreId], env(site.temporal.address)));
  for (const { exitCode, stdout, stderr } of await Promise.all(asked)) {
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^TemporalUnavailable: no worker answers for the restore\nhint: Start `thaw worker` .*\n$/,
      ),
    });
  }
  await run(['cancel', restoreId], env(site.temporal.address));
});

test('a restore that Temporal does not know is told from one that is silent', async () => {
  for (const command of ['pause', 'resume', 'cancel', 'status', 'watch']) {
    await expect(run([command, 'nobody'], env(site.temporal.address))).rejects.toMatchObject({
      code: 'InputInvalid',
      message: expect.stringMatching(/^no restore nobody is (known|running)/i),
      hint: expect.stringMatching(/thaw status|--config/),
    });
  }
});

test('where no Temporal server is, every one of them says so', async () => {
  const stateDir = await mkdtemp(path.join(tmpdir(), 'thaw-control-'));
  for (const command of ['pause', 'resume', 'cancel', 'watch']) {
    await expect(run([command, 'nobody'], { ...env(''), THAW_STATE_DIR: stateDir })).rejects.toMatchObject({
      code: 'InputInvalid',
      message: expect.stringMatching(/^nothing is running/),
      hint: expect.stringMatching(/^Set TEMPORAL_ADDRESS /),
    });
  }
  await rm(stateDir, { recursive: true });
});
