import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort, PortBook } from '../../src/stack/port.ts';
import { endLeftover, startProcess, waitUntilReady } from '../../src/stack/process.ts';
import { supervise } from '../../src/stack/supervisor.ts';
import { isAlive } from '../harness/process-alive.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'thaw-process-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const start = (name: string, code: string, stopTimeoutMs = 10_000) =>
  startProcess({
    name,
    folder,
    command: process.execPath,
    args: ['-e', code],
    env: process.env,
    stopTimeoutMs,
  });
const idle = `console.log('up'); setInterval(() => {}, 1e6);`;
const said = (file: string, text: string) => async () => readFileSync(file, 'utf8').includes(text);

describe('a process', () => {
  test('is stopped by its signal and says how it ended', async () => {
    const one = await start('one', `process.on('SIGTERM', () => process.exit(7)); ${idle}`);
    await waitUntilReady(one, 10_000, said(one.logFile, 'up'));
    await one.stop();
    expect(await one.ended).toBe('exit code 7');
    expect(isAlive(one.pid)).toBe(false);
  });

  test('that does not heed the signal is killed with its children', async () => {
    const code = `process.on('SIGTERM', () => {});
      const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']);
      console.log('child ' + child.pid + '.'); setInterval(() => {}, 1e6);`;
    const one = await start('stubborn', code, 100);
    await waitUntilReady(one, 10_000, said(one.logFile, '.'));
    const child = Number(/child (\d+)/.exec(readFileSync(one.logFile, 'utf8'))?.[1]);
    expect(isAlive(child)).toBe(true);
    await one.stop();
    expect(await one.ended).toBe('SIGKILL');
    await expect.poll(() => isAlive(child)).toBe(false);
  });

  test('that ends before it is ready is an error with the end of its log', async () => {
    const one = await start('broken', `console.error('port is taken'); process.exit(3)`);
    await expect(waitUntilReady(one, 10_000, async () => false)).rejects.toThrow(
      /broken ended \(exit code 3\) before it was ready:\nport is taken/,
    );
  });

  test('left behind is ended by the next start', async () => {
    const one = await start('left', idle);
    expect(await endLeftover(folder, 'left')).toBe(true);
    expect(isAlive(one.pid)).toBe(false);
    expect(await endLeftover(folder, 'left')).toBe(false);
  });

  test('that only has the pid of one left behind is left alone', async () => {
    const one = await start('other', idle);
    const record = path.join(folder, 'processes', 'other.json');
    writeFileSync(record, JSON.stringify({ ...JSON.parse(readFileSync(record, 'utf8')), startedAt: '1' }));
    expect(await endLeftover(folder, 'other')).toBe(false);
    expect(isAlive(one.pid)).toBe(true);
    await one.stop();
  });

  test('under supervision is started again when it is killed, and not when it is stopped', async () => {
    const lines: string[] = [];
    const pids: number[] = [];
    const again = async () => {
      const one = await start('kept', idle);
      pids.push(one.pid);
      return { process: one };
    };
    const { process: first } = await again();
    const kept = supervise(first, again, (line) => lines.push(line));
    process.kill(first.pid, 'SIGKILL');
    await expect.poll(() => pids.length, { timeout: 10_000 }).toBe(2);
    await kept.stop();
    expect(pids.map(isAlive)).toEqual([false, false]);
    expect(lines).toEqual(['kept ended (SIGKILL); it is started again']);
  });
});

describe('ports', () => {
  test('are remembered, and replaced when they are taken', async () => {
    const port = await new PortBook(folder).take('api');
    expect(await new PortBook(folder).take('api')).toBe(port);
    const squatter = createServer().listen(port, '127.0.0.1');
    await new Promise((resolve) => squatter.once('listening', resolve));
    const other = await new PortBook(folder).take('api');
    expect(other).not.toBe(port);
    await new Promise((resolve) => squatter.close(resolve));
    expect(await new PortBook(folder).take('api')).toBe(other);
  });

  test('are changed when they are taken between the look and the bind', async () => {
    const squatter = createServer();
    const tried: number[] = [];
    const started = await new PortBook(folder).start('api', await freePort(), async (port) => {
      tried.push(port);
      if (tried.length > 1) return port;
      await new Promise<void>((resolve) => squatter.listen(port, '127.0.0.1', resolve));
      throw new Error('address in use');
    });
    expect(tried).toHaveLength(2);
    expect(started).not.toBe(tried[0]);
    await new Promise((resolve) => squatter.close(resolve));
  });
});
