import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Compiles `standalone-opener.ts`, since Node 20 runs no TypeScript, into a folder of its own inside the
 * project, from where it finds its packages. Gives that folder.
 */
export async function compileOpener(): Promise<string> {
  await mkdir('dist', { recursive: true });
  const folder = await mkdtemp(resolve('dist', 'standalone-test-'));
  const options = '--ignoreConfig --noCheck --target es2023 --module nodenext --types node --rootDir .';
  const source = 'test/stack/standalone-opener.ts';
  const rewrite = '--rewriteRelativeImportExtensions';
  await run('node_modules/.bin/tsc', [...options.split(' '), rewrite, '--outDir', folder, source]);
  return folder;
}

/** A process that uses the standalone server. */
export class Command {
  readonly child: ChildProcess;
  readonly log: string[] = [];
  #opened: Promise<{ address: string; uiUrl: string }>;

  constructor(compiled: string, stateDir: string, namespace = 'default', env: NodeJS.ProcessEnv = {}) {
    const script = join(compiled, 'test/stack/standalone-opener.js');
    this.child = fork(script, [stateDir, namespace], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, ...env },
    });
    this.#opened = new Promise((resolveOpened, reject) => {
      this.child.on('message', (message: Record<string, string>) => {
        if (message.log !== undefined) this.log.push(message.log);
        if (message.error !== undefined) reject(new Error(message.error));
        const { address, uiUrl } = message;
        if (address !== undefined && uiUrl !== undefined) resolveOpened({ address, uiUrl });
      });
      this.child.once('exit', () => reject(new Error('the command ended before it had a server')));
    });
    // Killed on purpose by most tests, which then do not ask.
    this.#opened.catch(() => undefined);
  }

  /** Resolves once it has its server. */
  opened(): Promise<{ address: string; uiUrl: string }> {
    return this.#opened;
  }

  /** Lets it release the server; gives its exit code. */
  release(): Promise<number | null> {
    return this.#tell('release');
  }

  /** Aborts its start; gives its exit code. */
  abort(): Promise<number | null> {
    return this.#tell('abort');
  }

  /** kill -9. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }

  async #tell(word: string): Promise<number | null> {
    const ended = once(this.child, 'exit');
    this.child.send(word);
    const [code] = (await ended) as [number | null];
    return code;
  }
}

/** The processes that were given a database below this folder, by pid: servers, and shells about to be one. */
export async function serversBelow(folder: string): Promise<number[]> {
  const { stdout } = await run('ps', ['-ww', '-A', '-o', 'pid=,command='], { maxBuffer: 64 * 1024 * 1024 });
  return stdout
    .split('\n')
    .filter((line) => line.includes(`start-dev --db-filename ${folder}/`))
    .map((line) => Number.parseInt(line, 10));
}

/** Looks again and again until there is something to give. */
export async function eventually<T>(look: () => Promise<T | null>, timeoutMs = 20_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > deadline) throw new Error('it did not come to pass');
    await sleep(5);
  }
}
