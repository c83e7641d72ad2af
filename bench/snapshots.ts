import { mkdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import type { PostgresServer } from '../src/stack/postgres-server.ts';
import { type Stack, startStack } from '../src/stack/stack.ts';
import { cleanEnvironment, runCommand } from './command.ts';
import { cpuSeconds } from './cpu.ts';
import type { BenchOptions } from './options.ts';
import { machine, median } from './report.ts';
import { serverCpu } from './servers.ts';
import { changeShop, checksumShop, createShop, emptyShop, fillShop, shopDatabase } from './shop.ts';
import { command, startWorker, type ThawSetup, thawSetup } from './thaw.ts';

/** Where a benchmark tells what it finds, and how far it is. */
export interface BenchVoice {
  print(text: string): void;
  log(line: string): void;
}

/** Something to measure. */
interface Step {
  readonly name: string;
  /** The step that it is compared with. */
  readonly yardstick: string;
  /** SQL that makes the tables ready for it. */
  readonly before: string | null;
  run(): Promise<void>;
}

/** What a run of a step took; CPU seconds of the command and the worker, and of PostgreSQL. */
interface Taken {
  readonly seconds: number;
  readonly ownCpu: number;
  readonly postgresCpu: number;
}

const bucket = 'bench-snapshots';

/** Measures taking and restoring a snapshot of a million rows of 20 tables against pg_dump and pg_restore. */
export async function benchSnapshots(
  { folder: given, rounds }: Pick<BenchOptions, 'folder' | 'rounds'>,
  { print, log }: BenchVoice,
): Promise<void> {
  const host = machine();
  const folder = path.resolve(given, 'snapshots');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const stack = await startStack({ folder, bucket, durable: true, log });
  try {
    const setup = thawSetup(folder, { stack, bucket }, shopDatabase);
    const worker = await startWorker(setup, stack.temporal.address);
    try {
      log('making the tables');
      const expected = await makeShop(stack.postgres);
      const dumpFile = path.join(folder, 'shop.dump');
      const steps = stepsOf(stack, setup, dumpFile);
      const taken = new Map<string, Taken[]>(steps.map(({ name }) => [name, []]));
      for (let round = 1; round <= rounds; round += 1) {
        for (const step of steps) {
          if (step.before !== null) await inShop(stack.postgres, `${step.before}; checkpoint`);
          const one = await measure(step, stack);
          const actual = step.before === null ? expected : await checksum(stack.postgres);
          if (actual !== expected) throw new Error(`${step.name}: ${actual} instead of ${expected}`);
          log(`round ${round}: ${one.seconds.toFixed(2)} s ${step.name}`);
          taken.get(step.name)?.push(one);
        }
      }
      const { size } = statSync(dumpFile);
      print(
        `A million rows of 20 tables, ${rounds} rounds; the dump has ${Math.round(size / 2 ** 20)} MiB. ${host}.\n`,
      );
      print(table(steps, taken));
    } finally {
      await worker.stop();
    }
  } finally {
    await stack.stop();
  }
}

function stepsOf(stack: Stack, setup: ThawSetup, dumpFile: string): Step[] {
  const { postgres } = stack;
  const programs = { ...cleanEnvironment(), PGPASSWORD: postgres.password };
  const place = ['-h', postgres.host, '-p', `${postgres.port}`, '-U', postgres.user, '-d', shopDatabase];
  const dataOnly = ['--data-only', '--disable-triggers', ...place];
  const env = { ...setup.env, TEMPORAL_ADDRESS: stack.temporal.address };
  const thaw = async (...args: string[]) => {
    const all = [command, 'snapshot', ...args, '--config', setup.configFile, '--json'];
    return (await runCommand(process.execPath, all, env)).stdout;
  };
  let id = '';
  const restore = async () => void (await thaw('restore', id, '--confirm', '--again', '--no-pre-snapshot'));
  const [dump, restored] = ['pg_dump -Fc', 'pg_restore into emptied tables'];
  return [
    {
      ...{ name: dump, yardstick: dump, before: null },
      // What Thaw has written down of the rounds before is not of the data.
      run: async () =>
        void (await runCommand('pg_dump', ['-Fc', '-N', 'thaw', '-f', dumpFile, ...place], programs)),
    },
    {
      ...{ name: 'thaw snapshot create', yardstick: dump, before: null },
      run: async () => {
        id = (JSON.parse(await thaw('create', '--schema', 'public')) as { id: string }).id;
      },
    },
    {
      ...{ name: restored, yardstick: restored, before: emptyShop },
      run: async () => void (await runCommand('pg_restore', [...dataOnly, dumpFile], programs)),
    },
    {
      ...{ name: 'the same with -j 4', yardstick: restored, before: emptyShop },
      run: async () => void (await runCommand('pg_restore', ['-j', '4', ...dataOnly, dumpFile], programs)),
    },
    { name: 'thaw: into emptied tables', yardstick: restored, before: emptyShop, run: restore },
    { name: 'thaw: into tables that have changed', yardstick: restored, before: changeShop, run: restore },
    { name: 'thaw: into tables that have not', yardstick: restored, before: 'select', run: restore },
  ];
}

async function measure(step: Step, stack: Stack): Promise<Taken> {
  const [before, start] = [cpuOf(stack), performance.now()];
  await step.run();
  const [after, end] = [cpuOf(stack), performance.now()];
  return {
    seconds: (end - start) / 1000,
    ownCpu: after.own - before.own,
    postgresCpu: after.postgres - before.postgres,
  };
}

/** CPU seconds so far of PostgreSQL, and of commands and the worker: what is neither a server's nor the benchmark's. */
function cpuOf(stack: Stack): { readonly own: number; readonly postgres: number } {
  const { user, system } = process.cpuUsage();
  const { postgres, s3, temporal } = serverCpu(stack);
  const others = (postgres ?? 0) + (s3 ?? 0) + (temporal ?? 0) + (user + system) / 1e6;
  return { own: (cpuSeconds(process.pid) ?? 0) - others, postgres: postgres ?? 0 };
}

function table(steps: readonly Step[], taken: ReadonlyMap<string, readonly Taken[]>): string {
  const of = (name: string, pick: (one: Taken) => number) => median((taken.get(name) ?? []).map(pick));
  const lines = steps.map(({ name, yardstick }) => {
    const seconds = (step: string) => of(step, (one) => one.seconds);
    return [
      name,
      `${seconds(name).toFixed(2)} s`,
      (seconds(name) / seconds(yardstick)).toFixed(2),
      `${of(name, (one) => one.ownCpu).toFixed(2)} s`,
      `${of(name, (one) => one.postgresCpu).toFixed(2)} s`,
    ];
  });
  const head = ['', 'median', 'ratio', 'CPU', 'PostgreSQL CPU'];
  const all = [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...lines];
  return all.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

async function makeShop(server: PostgresServer): Promise<string> {
  const admin = new pg.Client({ connectionString: server.url('postgres') });
  await admin.connect();
  await admin.query(`create database ${shopDatabase}`);
  await admin.end();
  await inShop(server, createShop);
  await inShop(server, fillShop);
  await inShop(server, 'vacuum analyze');
  return checksum(server);
}

async function checksum(server: PostgresServer): Promise<string> {
  return JSON.stringify(await inShop(server, checksumShop));
}

async function inShop(server: PostgresServer, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: server.url(shopDatabase) });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
