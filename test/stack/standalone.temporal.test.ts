import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { describeProcess, endProcess } from '../../src/stack/process-identity.ts';
import { temporalServerVersion } from '../../src/stack/temporal-server.ts';
import { obtainTool } from '../../src/stack/tool.ts';
import { toolSources } from '../../src/stack/tool-source.ts';
import { Command, compileOpener, eventually, serversBelow } from './standalone-command.ts';

let compiled: string;
let executable: string;
/** Name of the database: it tells the version of whichever server the machine has. */
let database: string;
let stateDir: string;
/** Where the server's state is, below the state folder. */
let folder: string;
let commands: Command[];

beforeAll(async () => {
  compiled = await compileOpener();
  executable = await obtainTool('temporal', { log: () => undefined });
  database = `server-${await temporalServerVersion(executable)}.db`;
}, 600_000);

afterAll(() => rm(compiled, { recursive: true, force: true }));

beforeEach(async () => {
  // With a space in it: the name of the database must come through the shell whole.
  stateDir = await mkdtemp(join(tmpdir(), 'thaw state '));
  folder = join(stateDir, `temporal-${toolSources.temporal.version}`);
  commands = [];
});

afterEach(async () => {
  for (const command of commands) await command.kill();
  for (const pid of await serversBelow(stateDir)) {
    const server = describeProcess(pid);
    if (server !== null) await endProcess(server, { graceMs: 0 });
  }
  await rm(stateDir, { recursive: true, force: true });
});

function begin(namespace?: string, env?: NodeJS.ProcessEnv): Command {
  const command = new Command(compiled, stateDir, namespace, env);
  commands.push(command);
  return command;
}

/** A command that leaves tells the server to end, and does not wait for that. */
function noServer(): Promise<true> {
  return eventually(async () => (await serversBelow(stateDir)).length === 0 || null);
}

/** A Temporal CLI whose server never answers, so that a start can be interrupted at leisure. */
async function neverReady(): Promise<string> {
  const path = join(stateDir, 'temporal');
  const script = `#!/bin/sh
[ "$1" = server ] && while :; do sleep 0.1; done
exec '${executable}' "$@"
`;
  await writeFile(path, script, { mode: 0o755 });
  return path;
}

async function withClient<T>(
  address: string,
  namespace: string,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await use(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}

function startWorkflow(address: string, workflowId: string, namespace = 'default'): Promise<unknown> {
  return withClient(address, namespace, (client) =>
    client.workflow.start('anything', { workflowId, taskQueue: 'nobody' }),
  );
}

function workflowState(address: string, workflowId: string, namespace = 'default'): Promise<string> {
  return withClient(address, namespace, async (client) => {
    const description = await client.workflow.getHandle(workflowId).describe();
    return description.status.name;
  });
}

describe('the standalone server', { timeout: 60_000 }, () => {
  it('is one for all who open it at once, and ends with the last of them', async () => {
    const all = [begin(), begin(), begin()];
    let most = 0;
    let open = false;
    const watching = eventually(async () => {
      most = Math.max(most, (await serversBelow(stateDir)).length);
      return open || null;
    }, 50_000);
    const servers = await Promise.all(all.map((command) => command.opened()));
    open = true;
    await watching;

    expect(new Set(servers.map((server) => server.address)).size).toBe(1);
    expect(most).toBe(1);
    const ui = await fetch(servers[0]?.uiUrl ?? '');
    expect(ui.status).toBe(200);

    expect(await all[0]?.release()).toBe(0);
    expect(await all[1]?.release()).toBe(0);
    expect(await serversBelow(stateDir)).toHaveLength(1);
    expect(await all[2]?.release()).toBe(0);
    await noServer();
    expect((await readdir(folder)).toSorted()).toEqual([
      database,
      `${database}.complete`,
      'server.json',
      'server.log',
      'users',
    ]);
    expect(await readdir(join(folder, 'users'))).toEqual([]);
  });

  it('lives on when its command is killed, and the next command goes on with it', async () => {
    const first = begin();
    const { address } = await first.opened();
    await startWorkflow(address, 'w');
    const before = await serversBelow(stateDir);
    await first.kill();

    const second = begin();
    expect((await second.opened()).address).toBe(address);
    expect(await serversBelow(stateDir)).toEqual(before);
    expect(await workflowState(address, 'w')).toBe('RUNNING');
    // The killed one must not be waited for.
    await second.release();
    await noServer();
  });

  it('keeps what it knows when it is stopped and started again', async () => {
    const first = begin();
    const { address } = await first.opened();
    await startWorkflow(address, 'w');
    const [ending = 0] = await serversBelow(stateDir);
    // It would still answer, had it not been told to end: the next command must not go on with it.
    process.kill(ending, 'SIGSTOP');
    await first.release();

    const second = begin();
    process.kill(ending, 'SIGCONT');
    expect((await second.opened()).address).toBe(address);
    expect(await serversBelow(stateDir)).not.toContain(ending);
    expect(await workflowState(address, 'w')).toBe('RUNNING');
    expect(second.log).toEqual(['starting a Temporal server']);
    await second.release();
  });

  it('is ended and replaced on its port when it hangs, and keeps what it knows', async () => {
    const first = begin();
    const { address } = await first.opened();
    await startWorkflow(address, 'w');
    const [hung = 0] = await serversBelow(stateDir);
    process.kill(hung, 'SIGSTOP');

    const second = begin();
    expect((await second.opened()).address).toBe(address);
    const servers = await serversBelow(stateDir);
    expect(servers).toHaveLength(1);
    expect(servers).not.toContain(hung);
    expect(second.log).toContain(
      `the Temporal server of process ${hung} does not answer: it is started anew`,
    );
    expect(await workflowState(address, 'w')).toBe('RUNNING');
  });

  it('leaves the process alone that has the pid of an earlier server', async () => {
    await mkdir(folder, { recursive: true });
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    try {
      const pid = stranger.pid ?? 0;
      const running = await eventually(async () => describeProcess(pid));
      const record = { pid, port: 0, uiPort: 0, database: join(folder, database), ready: true };
      // Another start time; then the same one, as coarse clocks may tell, but another program.
      for (const startedAt of ['long ago', running.startedAt]) {
        await writeFile(join(folder, 'server.json'), JSON.stringify({ ...record, startedAt }));
        const command = begin();
        await command.opened();
        expect(await serversBelow(stateDir)).toHaveLength(1);
        expect(await serversBelow(stateDir)).not.toContain(pid);
        await command.release();
        // It ends by itself, and the record that is written next does not know of it.
        await noServer();
        expect(describeProcess(pid)).not.toBeNull();
      }
    } finally {
      const ended = once(stranger, 'exit');
      stranger.kill();
      await ended;
    }
  });

  it('starts after a start that was killed', async () => {
    const killed = begin();
    await eventually(async () => existsSync(join(folder, 'server.json')) || null);
    await killed.kill();

    const { address } = await begin().opened();
    expect(await serversBelow(stateDir)).toHaveLength(1);
    await startWorkflow(address, 'w');
    expect(await workflowState(address, 'w')).toBe('RUNNING');
  });

  it('starts after the making of its database was cut off', async () => {
    await mkdir(folder, { recursive: true });
    // As it is before its first table: the server takes it for a database with all of them.
    await writeFile(join(folder, database), '');

    await startWorkflow((await begin().opened()).address, 'w');
  });

  it('leaves nothing running when its start is interrupted', async () => {
    const interrupted = begin('default', { THAW_TEMPORAL_CLI: await neverReady() });
    await eventually(async () => existsSync(join(folder, 'server.json')) || null);
    expect(await interrupted.abort()).toBe(2);
    await expect(interrupted.opened()).rejects.toThrow('interrupted');
    expect(await serversBelow(stateDir)).toEqual([]);
    expect(existsSync(join(folder, 'server.json'))).toBe(false);
    expect(await readdir(join(folder, 'users'))).toEqual([]);

    await startWorkflow((await begin().opened()).address, 'w');
  });

  it('has the namespace that a command asks for, at once, even if it ran before', async () => {
    const { address } = await begin().opened();
    expect((await begin('elsewhere').opened()).address).toBe(address);
    await startWorkflow(address, 'w', 'elsewhere');
    expect(await workflowState(address, 'w', 'elsewhere')).toBe('RUNNING');
  });
});
