import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { s3Client } from '../../src/stack/s3-gateway.ts';
import { type Stack, startStack } from '../../src/stack/stack.ts';
import { isAlive } from '../harness/process-alive.ts';

let home: string;
let running: Stack[];

async function start(folder = path.join(home, 'state with space')): Promise<Stack> {
  const stack = await startStack({ folder, bucket: 'kept', durable: true, log: () => undefined });
  running.push(stack);
  return stack;
}

async function inDatabase<T>(stack: Stack, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: stack.postgres.url('postgres') });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function inTemporal<T>(stack: Stack, use: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: stack.temporal.address });
  try {
    return await use(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

/** Puts something into each of the three. */
async function fill(stack: Stack): Promise<void> {
  await inDatabase(stack, (client) => client.query('create table kept as select 42 as answer'));
  const s3 = s3Client(stack.s3);
  await s3.send(new PutObjectCommand({ Bucket: 'kept', Key: 'a/b', Body: 'bytes' }));
  s3.destroy();
  await inTemporal(stack, (client) =>
    client.workflow.start('nobody', { taskQueue: 'nobody', workflowId: 'kept' }),
  );
}

/** Reads it back. */
async function kept(stack: Stack): Promise<unknown[]> {
  const { rows } = await inDatabase(stack, (client) => client.query('select answer from kept'));
  const s3 = s3Client(stack.s3);
  const object = await s3.send(new GetObjectCommand({ Bucket: 'kept', Key: 'a/b' }));
  const bytes = await object.Body?.transformToString();
  s3.destroy();
  const workflow = await inTemporal(stack, (client) => client.workflow.getHandle('kept').describe());
  return [rows[0].answer, bytes, workflow.status.name];
}

const pids = (stack: Stack) => stack.servers.map(({ process }) => process.pid);
const everything = [42, 'bytes', 'RUNNING'];

beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'thaw-stack-'));
  running = [];
});

afterEach(async () => {
  for (const stack of running) {
    await stack.stop();
    rmSync(path.join('/var/lib/thaw', stack.secrets.id), { recursive: true, force: true });
  }
  rmSync(home, { recursive: true });
});

describe('the stack', () => {
  test('leaves nothing running, and has its data and its ports again after a restart', async () => {
    chmodSync(home, 0o711);
    const first = await start();
    await fill(first);
    await first.stop();
    expect(pids(first).map(isAlive)).toEqual([false, false, false]);

    const second = await start();
    expect(await kept(second)).toEqual(everything);
    expect([
      second.temporal.address,
      second.temporal.uiUrl,
      second.s3.endpoint,
      second.postgres.port,
    ]).toEqual([first.temporal.address, first.temporal.uiUrl, first.s3.endpoint, first.postgres.port]);
    expect((await fetch(second.temporal.uiUrl ?? '')).status).toBe(200);
  });

  test('goes on with the data of one whose parent was killed, and ends what it left running', async () => {
    chmodSync(home, 0o711);
    const first = await start();
    await fill(first);
    const second = await start();
    expect(pids(first).map(isAlive)).toEqual([false, false, false]);
    expect(await kept(second)).toEqual(everything);
  });

  test('recovers when its servers were killed, and when they run but are nowhere noted', async () => {
    chmodSync(home, 0o711);
    const first = await start();
    await fill(first);
    for (const pid of pids(first)) process.kill(pid, 'SIGKILL');
    const second = await start();
    expect(await kept(second)).toEqual(everything);

    rmSync(path.join(second.folder, 'processes', 'postgres.json'));
    const third = await start();
    expect(isAlive(second.postgres.process.pid)).toBe(false);
    expect(await kept(third)).toEqual(everything);
  });

  test('works below a folder that is closed to others, also for root', async () => {
    chmodSync(home, 0o700);
    const stack = await start();
    await fill(stack);
    expect(await kept(stack)).toEqual(everything);
    const outside = path.join('/var/lib/thaw', stack.secrets.id, 'data');
    expect(existsSync(outside)).toBe(process.getuid?.() === 0);
  });

  test('keeps its secrets to itself', async () => {
    chmodSync(home, 0o711);
    const stack = await start();
    const file = path.join(stack.folder, 'secrets.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const logs = ['temporal', 's3', 'postgres'].map((name) =>
      readFileSync(path.join(stack.folder, 'logs', `${name}.log`), 'utf8'),
    );
    const { postgresPassword, s3SecretAccessKey } = stack.secrets;
    expect(logs.filter((log) => log.includes(postgresPassword) || log.includes(s3SecretAccessKey))).toEqual(
      [],
    );
    const wrong = new URL(stack.postgres.url('postgres'));
    wrong.password = 'guess';
    await expect(new pg.Client({ connectionString: wrong.href }).connect()).rejects.toMatchObject({
      code: '28P01',
    });
  });
});
