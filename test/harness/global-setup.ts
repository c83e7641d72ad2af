import { chmodSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { tryLock } from '../../src/stack/lock.ts';
import { endLeftover } from '../../src/stack/process.ts';
import { type Stack, startStack } from '../../src/stack/stack.ts';
import { writeWorkflowBundle } from '../../src/workflow-bundle.ts';

/** Where the servers of this run are; tests read it through postgres.ts, s3.ts and temporal.ts. */
export interface StackAddresses {
  readonly temporalAddress: string;
  /** File with the code of the workflows: to bundle it takes each test file seconds. */
  readonly workflowBundle: string;
  /** Connection string of the database `postgres`, as superuser. */
  readonly postgresUrl: string;
  readonly s3: {
    readonly endpoint: string;
    readonly region: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
  /** Temporary folder of the run; taken away at its end. */
  readonly folder: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    stack: StackAddresses;
  }
}

const prefix = 'thaw-tests-';

/** Starts one Temporal, one S3 gateway and one PostgreSQL for the whole run, and stops them at its end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await sweep();
  const folder = mkdtempSync(path.join(tmpdir(), prefix));
  // mkdtemp closes the folder, but root's PostgreSQL runs as another user and must get through.
  chmodSync(folder, 0o711);
  const lock = await tryLock(path.join(folder, 'lock'));
  const stack = await startStack({
    folder: path.join(folder, 'stack'),
    bucket: 'unused',
    durable: false,
    maxConnections: 200,
    // Vitest shows nothing else while a tool is built, which takes minutes.
    log: (line) => process.stderr.write(`test stack: ${line}\n`),
  });
  const abandon = killOnExit(stack);
  const workflowBundle = path.join(folder, 'workflow-bundle.js');
  await writeWorkflowBundle(workflowBundle);
  project.provide('stack', { ...addresses(stack), workflowBundle, folder });
  return async () => {
    abandon();
    await stack.stop();
    if ('release' in lock) lock.release();
    rmSync(folder, { recursive: true, force: true });
  };
}

/** Ctrl-C ends Vitest without a teardown; nothing of these servers is worth an orderly stop. */
function killOnExit(stack: Stack): () => void {
  const kill = () => {
    for (const { process: server } of stack.servers) process.kill(-server.pid, 'SIGKILL');
  };
  const end = (_: NodeJS.Signals, number: number) => process.exit(128 + number);
  process.on('exit', kill).on('SIGINT', end).on('SIGTERM', end);
  return () => process.off('exit', kill).off('SIGINT', end).off('SIGTERM', end);
}

function addresses(stack: Stack): Omit<StackAddresses, 'workflowBundle' | 'folder'> {
  const { endpoint, region, accessKeyId, secretAccessKey } = stack.s3;
  return {
    temporalAddress: stack.temporal.address,
    postgresUrl: stack.postgres.url('postgres'),
    s3: { endpoint, region, accessKeyId, secretAccessKey },
  };
}

/** Ends what runs left behind that were killed before they could clean up. */
async function sweep(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const folder = path.join(tmpdir(), name);
    const file = path.join(folder, 'lock');
    const found = lstatSync(file, { throwIfNoEntry: false });
    // Another user's runs are that user's to sweep; without a lock file it is only being made.
    if (found === undefined || found.uid !== process.getuid?.() || 'heldBy' in (await tryLock(file)))
      continue;
    for (const server of ['temporal', 's3', 'postgres'])
      await endLeftover(path.join(folder, 'stack'), server);
    rmSync(folder, { recursive: true, force: true });
  }
}
