import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RestoreOutcome } from '../src/contract/outcome.ts';
import { type RunningProcess, startProcess } from '../src/stack/process.ts';
import { makePlace } from '../src/stack/standalone-place.ts';
import { endServer, readRecord } from '../src/stack/standalone-record.ts';
import { database, table } from './audit-log.ts';
import { cleanEnvironment, runCommand } from './command.ts';
import type { Contestant } from './contestant.ts';
import { cpuSeconds, peakMemory } from './cpu.ts';
import { prefix } from './generate.ts';
import type { BenchServers } from './servers.ts';
import type { Usage } from './usage.ts';

/** The built command line. */
export const command = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const usageHook = new URL('./usage.js', import.meta.url).href;

/** How to run Thaw in the benchmark. */
export interface ThawSetup {
  readonly folder: string;
  readonly configFile: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Writes the configuration that names the benchmark's servers, as a user would. */
export function thawSetup(
  folder: string,
  servers: Pick<BenchServers, 'stack' | 'bucket'>,
  name = database,
): ThawSetup {
  const { s3, postgres } = servers.stack;
  const configFile = path.join(folder, 'config.yaml');
  const config = {
    version: '1.0',
    s3: { endpoint: s3.endpoint, bucket: servers.bucket, prefix, region: s3.region },
    databases: [
      {
        name,
        host: postgres.host,
        port: postgres.port,
        user: postgres.user,
        password_env: 'THAW_BENCH_PASSWORD',
        tables: [{ name: table, schema: 'public', timestamp_column: 'created_at', primary_key: 'id' }],
      },
    ],
  };
  // JSON is YAML.
  writeFileSync(configFile, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  const env = {
    ...cleanEnvironment(),
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    THAW_BENCH_PASSWORD: postgres.password,
    THAW_STATE_DIR: path.join(folder, 'state'),
  };
  return { folder, configFile, env };
}

/** The whole command as typed: a new process, with a Temporal server and a worker of its own inside. */
export function standaloneRestore(setup: ThawSetup, lanes: number, profile: string | null): Contestant {
  const usageFile = path.join(setup.folder, 'usage.json');
  return {
    name: 'thaw restore, the whole command',
    lanes,
    servers: ['postgres', 's3'],
    run: async (round) => {
      rmSync(usageFile, { force: true });
      const profiling = profile !== null && round > 0 ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [];
      const node = [...profiling, '--import', usageHook, command, ...restoreArguments(setup, lanes)];
      const env = { ...setup.env, THAW_BENCH_USAGE: usageFile };
      const { seconds, stdout } = await runCommand(process.execPath, node, env);
      await serverGone(setup.env.THAW_STATE_DIR ?? '');
      const usage = JSON.parse(readFileSync(usageFile, 'utf8')) as Usage;
      return { seconds, ...usage, parts: { 'the restore within it': outcomeOf(stdout).seconds } };
    },
  };
}

/** The command does not wait for its server to end; the next measurement must not run beside it. */
async function serverGone(stateDir: string): Promise<void> {
  const record = await readRecord(await makePlace(stateDir));
  if (record !== null) await endServer(record, 10_000);
}

/** The restore's own time on a Temporal server and a worker that are there already. */
export function clusterRestore(
  setup: ThawSetup,
  temporalAddress: string,
  worker: RunningProcess,
  lanes: number,
): Contestant {
  const env = { ...setup.env, TEMPORAL_ADDRESS: temporalAddress };
  return {
    name: 'restore on a running Temporal server and worker',
    lanes,
    servers: ['postgres', 's3', 'temporal'],
    run: async () => {
      const before = cpuSeconds(worker.pid);
      const { stdout } = await runCommand(
        process.execPath,
        [command, ...restoreArguments(setup, lanes)],
        env,
      );
      const after = cpuSeconds(worker.pid);
      const used = before === null || after === null ? null : after - before;
      const { seconds } = outcomeOf(stdout);
      return { seconds, cpuSeconds: used, peakBytes: peakMemory(worker.pid), parts: {} };
    },
  };
}

/** Starts `thaw worker`; the warm-up round waits until it polls. */
export async function startWorker(setup: ThawSetup, temporalAddress: string): Promise<RunningProcess> {
  return await startProcess({
    name: 'worker',
    folder: setup.folder,
    command: process.execPath,
    args: [command, 'worker', '--config', setup.configFile],
    env: { ...setup.env, TEMPORAL_ADDRESS: temporalAddress },
    stopTimeoutMs: 30_000,
  });
}

function restoreArguments(setup: ThawSetup, lanes: number): string[] {
  return [
    ...['restore', '--config', setup.configFile, '--restore-all', '--database', database, '--table', table],
    ...['--conflict-strategy', 'skip', '--lanes', String(lanes), '--json'],
  ];
}

function outcomeOf(stdout: string): RestoreOutcome {
  return JSON.parse(stdout) as RestoreOutcome;
}
