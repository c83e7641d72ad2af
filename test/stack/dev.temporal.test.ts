import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { read } from '../api/fake-restores.ts';
import { makeZip } from '../bundle/zip-writer.ts';
import { isAlive } from '../harness/process-alive.ts';

/** Built by npm test before anything runs. */
const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

interface Dev {
  readonly child: ChildProcess;
  /** All that it has printed. */
  output(): string;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

let home: string;
let started: Dev[];

function dev(...flags: string[]): Dev {
  const folder = path.join(home, 'my thaw');
  const child = spawn(process.execPath, [main, 'dev', '--dir', folder, ...flags], { cwd: home });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const ended = new Promise<number | string | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal)),
  );
  const one = { child, output: () => output, ended };
  started.push(one);
  return one;
}

async function ready(one: Dev): Promise<Record<string, string>> {
  const isReady = () => /^thaw dev: ready$/m.test(one.output()) || one.child.exitCode !== null;
  await expect.poll(isReady, { timeout: 50_000, interval: 50 }).toBe(true);
  expect(one.output()).toMatch(/^thaw dev: ready$/m);
  const lines = readFileSync(path.join(home, 'my thaw', 'env'), 'utf8')
    .trimEnd()
    .split('\n');
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

/** Sends a bundle as the API document does, without a word of the database. @returns the status that its run ends with */
async function imported({ THAW_API_URL: url, THAW_TOKEN: token }: Record<string, string>): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}` };
  const body = new FormData();
  const zip = await makeZip({ 'describe.yaml': 'tasks: { fields: { title: { type: text } } }' });
  body.append('file', new Blob([Uint8Array.from(zip)]), 'backup.zip');
  const { json } = await read(await fetch(`${url}/api/restores/import`, { method: 'POST', headers, body }));
  expect(json).toMatchObject({ success: true });
  const status = async () =>
    (await read(await fetch(`${url}${json.data.status_url}`, { headers }))).json.data.status;
  await expect.poll(status, { timeout: 40_000 }).toMatch(/completed|failed|cancelled/);
  return status();
}

/** Pids of all processes that run for the folder, by name. */
function running(): Record<string, number> {
  const records = path.join(home, 'my thaw', 'processes');
  const names = readdirSync(records).filter((name) => name.endsWith('.json'));
  return Object.fromEntries(
    names.map((name) => [
      path.basename(name, '.json'),
      JSON.parse(readFileSync(path.join(records, name), 'utf8')).pid,
    ]),
  );
}

beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'thaw-dev-'));
  chmodSync(home, 0o711);
  started = [];
});

afterEach(async () => {
  for (const { child, ended } of started) {
    child.kill('SIGTERM');
    await ended;
  }
  // What a killed one left behind.
  for (const pid of Object.values(running())) if (isAlive(pid)) process.kill(-pid, 'SIGKILL');
  rmSync(home, { recursive: true });
});

describe('thaw dev', () => {
  test('writes its addresses once all is ready, and SIGTERM leaves nothing running', async () => {
    const one = dev();
    const env = await ready(one);
    expect(statSync(path.join(home, 'my thaw', 'env')).mode & 0o777).toBe(0o600);
    for (const name of [
      'TEMPORAL_ADDRESS',
      'THAW_BUCKET',
      'THAW_TOKEN',
      'AWS_SECRET_ACCESS_KEY',
      'AWS_REGION',
    ]) {
      expect(env[name], name).toMatch(/./);
    }
    expect(env.THAW_BUNDLE_DATABASE).toBe('production_db');
    expect((await fetch(`${env.THAW_API_URL}/healthz`)).status).toBe(200);
    expect((await fetch(env.TEMPORAL_UI_URL ?? '')).status).toBe(200);
    expect((await fetch(`${env.AWS_ENDPOINT_URL_S3}/health`)).status).toBe(200);
    expect(await imported(env)).toBe('completed');
    const client = new pg.Client({ connectionString: env.THAW_DATABASE_URL });
    await client.connect();
    expect(
      (await client.query(`select current_database() as name, to_regclass('tasks') as made`)).rows,
    ).toEqual([{ name: 'production_db', made: 'tasks' }]);
    await client.end();

    const pids = running();
    expect(Object.keys(pids).sort()).toEqual(['api', 'postgres', 's3', 'temporal', 'worker']);
    one.child.kill('SIGTERM');
    expect(await one.ended).toBe(0);
    expect(Object.values(pids).filter(isAlive)).toEqual([]);
    expect(existsSync(path.join(home, 'my thaw', 'env'))).toBe(false);
  });

  test('keeps tables, token and addresses when it was killed, and ends what that left running', async () => {
    const first = dev('--no-worker');
    const before = await ready(first);
    const pids = running();
    expect(Object.keys(pids).sort()).toEqual(['api', 'postgres', 's3', 'temporal']);
    const client = new pg.Client({ connectionString: before.THAW_DATABASE_URL });
    client.on('error', () => undefined);
    await client.connect();
    await client.query('create table kept as select 1 as one');
    first.child.kill('SIGKILL');
    expect(await first.ended).toBe('SIGKILL');

    const after = await ready(dev('--no-worker'));
    expect(after).toEqual(before);
    expect(Object.values(pids).filter(isAlive)).toEqual([]);
    const again = new pg.Client({ connectionString: after.THAW_DATABASE_URL });
    await again.connect();
    expect((await again.query('select one from kept')).rows).toEqual([{ one: 1 }]);
    await again.end();
  });

  test('runs only once in a folder', async () => {
    const first = dev('--no-worker');
    await ready(first);
    const second = dev('--no-worker');
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain(`already, as process ${first.child.pid}`);
    expect(Object.values(running()).map(isAlive)).toEqual([true, true, true, true]);
  });

  test('starts again what is killed under it', async () => {
    const one = dev();
    await ready(one);
    const before = running();
    const killed = ['worker', 'postgres'] as const;
    for (const name of killed) process.kill(before[name] ?? 0, 'SIGKILL');
    const back = () => {
      const now = running();
      return killed.filter(
        (name) => now[name] !== undefined && now[name] !== before[name] && isAlive(now[name]),
      );
    };
    await expect.poll(back, { timeout: 30_000 }).toEqual(killed);
    expect(one.output()).toContain('worker ended (SIGKILL); it is started again');
  });

  test('stopped while it starts leaves nothing running', async () => {
    const one = dev('--no-worker');
    const temporal = path.join(home, 'my thaw', 'processes', 'temporal.json');
    await expect.poll(() => existsSync(temporal), { timeout: 30_000, interval: 10 }).toBe(true);
    const pids = Object.values(running());
    one.child.kill('SIGTERM');
    expect(await one.ended).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(Object.keys(running())).toEqual([]);
  });
});
