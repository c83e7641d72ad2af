import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { PortBook } from './port.ts';
import { type RunningProcess, startProcess, waitUntilReady } from './process.ts';

/** What worker and API have in common when `thaw dev` runs them. */
export interface CommandPlace {
  /** State folder. */
  readonly folder: string;
  /** Path of the configuration. */
  readonly config: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Runs `thaw worker` and waits until it says that it is ready. */
export async function startWorker(place: CommandPlace): Promise<{ readonly process: RunningProcess }> {
  const process = await run(place, 'worker', [], /^thaw worker: ready/m);
  return { process };
}

/** Runs `thaw api` and waits until it listens. @param port 0: the one it had, or any */
export async function startApi(
  place: CommandPlace,
  ports: PortBook,
  port: number,
): Promise<{ readonly process: RunningProcess; readonly url: string }> {
  const start = async (chosen: number) => {
    const args = ['--port', String(chosen)];
    const process = await run(place, 'api', args, /^thaw api: listening on/m);
    return { process, url: `http://127.0.0.1:${chosen}` };
  };
  return port === 0 ? ports.start('api', 0, start) : start(port);
}

async function run(
  place: CommandPlace,
  name: string,
  args: string[],
  ready: RegExp,
): Promise<RunningProcess> {
  const running = await startProcess({
    name,
    folder: place.folder,
    command: process.execPath,
    args: [mainFile(), name, '--config', place.config, ...args],
    env: place.env,
    // The worker gives its loads 20 s to end.
    stopTimeoutMs: 30_000,
  });
  await waitUntilReady(running, 60_000, async () => ready.test(readFileSync(running.logFile, 'utf8')));
  return running;
}

/** The compiled command line, also when this file runs uncompiled, in tests. */
function mainFile(): string {
  const beside = fileURLToPath(new URL('../cli/main.js', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
}
