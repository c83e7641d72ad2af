import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { withPrivateFolder } from '../../../src/dump/tools/private-folder.ts';
import { longestLine, type ProgramRun, runProgram } from '../../../src/dump/tools/run-program.ts';
import { isAlive } from '../../harness/process-alive.ts';

/** Runs a Node program given as its source. */
function node(source: string, options: Partial<ProgramRun> = {}) {
  return runProgram({
    program: process.execPath,
    args: ['-e', source],
    env: {},
    signal: new AbortController().signal,
    onMessage: () => undefined,
    ...options,
  });
}

async function* chunks(count: number, onEnd: () => void = () => undefined) {
  try {
    for (let index = 0; index < count; index += 1) yield Buffer.alloc(64 * 1024, 'x');
  } finally {
    onEnd();
  }
}

test('gives input, takes output and messages, and tells the code', async () => {
  const messages: string[] = [];
  const parts: Buffer[] = [];
  const end = await node(
    `let n = 0;
     process.stdin.on('data', (c) => (n += c.length));
     process.stdin.on('end', () => {
       console.log(n, Object.keys(process.env).length);
       console.error('first\\n' + 'é'.repeat(5000) + '\\nlast');
       process.exitCode = 3;
     });`,
    {
      input: chunks(20),
      onOutput: async (output) => {
        for await (const chunk of output) parts.push(chunk);
      },
      onMessage: (line) => messages.push(line),
    },
  );
  expect(end).toEqual({ code: 3, signal: null });
  expect(Buffer.concat(parts).toString()).toBe(`${20 * 64 * 1024} 0\n`);
  expect(messages).toEqual(['first', 'é'.repeat(longestLine), 'last']);
});

test('a program that ends early is asked for its code, and its source is closed', async () => {
  const closed = vi.fn();
  const messages: string[] = [];
  const end = await node(`console.error('not mine'); process.exit(1)`, {
    input: chunks(Number.POSITIVE_INFINITY, closed),
    readInputToEnd: true,
    onMessage: (line) => messages.push(line),
  });
  expect(end).toEqual({ code: 1, signal: null });
  expect(messages).toEqual(['not mine']);
  await expect.poll(() => closed.mock.calls.length).toBe(1);
});

test('input is read to its end where that is asked for and the program ended well', async () => {
  let read = 0;
  const counted = async function* () {
    for await (const chunk of chunks(50)) {
      read += 1;
      yield chunk;
    }
  };
  await node(`process.exit(0)`, { input: counted(), readInputToEnd: true });
  expect(read).toBe(50);
});

test('a source that fails ends the program before its input is closed', async () => {
  await withPrivateFolder({}, async (folder) => {
    const trace = join(folder, 'trace');
    const failing = async function* () {
      yield Buffer.from('half');
      await expect.poll(() => readFile(trace, 'utf8').catch(() => '')).toBe('half');
      throw new Error('the stream was cut');
    };
    const program = `const { appendFileSync } = require('node:fs');
      process.stdin.on('data', (c) => appendFileSync(${JSON.stringify(trace)}, c));
      process.stdin.on('end', () => appendFileSync(${JSON.stringify(trace)}, ' taken for all'));
      process.on('SIGTERM', () => setTimeout(() => process.exit(0), 300));`;
    await expect(node(program, { input: failing() })).rejects.toThrow('the stream was cut');
    expect(await readFile(trace, 'utf8')).toBe('half');
  });
});

test('an abort ends the program with all that it started', async () => {
  await withPrivateFolder({}, async (folder) => {
    const pidFile = join(folder, 'pid');
    const stopping = new AbortController();
    const running = node(
      `const { spawn } = require('node:child_process');
       const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
       require('node:fs').writeFileSync(${JSON.stringify(pidFile)}, String(child.pid));
       setInterval(() => {}, 1000);`,
      { signal: stopping.signal },
    );
    await expect.poll(() => readFile(pidFile, 'utf8').catch(() => '')).toMatch(/^\d+$/);
    stopping.abort(new Error('cancelled'));
    await expect(running).rejects.toThrow('cancelled');
    expect(isAlive(Number(await readFile(pidFile, 'utf8')))).toBe(false);
  });
});

test('a program that is not there is named', async () => {
  await expect(node('', { program: '/nowhere/psql' })).rejects.toMatchObject({
    code: 'ConfigInvalid',
    message: expect.stringContaining('psql cannot be run: /nowhere/psql'),
  });
});

test('arguments reach no shell', async () => {
  await withPrivateFolder({}, async (folder) => {
    const file = join(folder, 'made');
    await writeFile(join(folder, 'x'), '');
    const parts: Buffer[] = [];
    await runProgram({
      program: process.execPath,
      args: ['-p', 'process.argv[1]', `$(touch ${file}); *`],
      env: {},
      signal: new AbortController().signal,
      onMessage: () => undefined,
      onOutput: async (output) => {
        for await (const chunk of output) parts.push(chunk);
      },
    });
    expect(Buffer.concat(parts).toString()).toBe(`$(touch ${file}); *\n`);
    await expect(readFile(file)).rejects.toThrow('ENOENT');
  });
});
