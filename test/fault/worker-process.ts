import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestThaw } from '../harness/thaw.ts';

/** `npm test` builds it anew each time. */
const command = path.resolve('dist/src/cli/main.js');

/** A worker in a process of its own, as `thaw worker` runs it, to be killed. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  /**
   * Starts it and waits until it takes work.
   *
   * @param folder where its configuration is written
   */
  static async start(thaw: TestThaw, folder: string): Promise<WorkerProcess> {
    if (!existsSync(command)) throw new Error(`${command} is not there: run npm run build`);
    const config = path.join(folder, 'config.json');
    await writeFile(config, thaw.configText);
    const { address, namespace, taskQueue } = thaw.temporal;
    const flags = ['--config', config, '--temporal-address', address, '--namespace', namespace];
    const child = spawn(process.execPath, [command, 'worker', ...flags, '--task-queue', taskQueue], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Where restores of bundles keep their runs.
      env: { ...process.env, THAW_DATABASE_URL: thaw.database.url },
    });
    const worker = new WorkerProcess(child);
    try {
      await worker.#ready();
    } catch (error) {
      await worker.kill();
      throw error;
    }
    return worker;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'exit');
    // Whatever ends this process ends the worker.
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.off('exit', kill));
  }

  /** How it ended, for instance `SIGKILL` or `exit code 1`; null while it runs. */
  get end(): string | null {
    const { exitCode, signalCode } = this.#child;
    return signalCode ?? (exitCode === null ? null : `exit code ${exitCode}`);
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Stops its clock: it lives, and does nothing, until `wake`. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  wake(): void {
    this.#child.kill('SIGCONT');
  }

  async #ready(): Promise<void> {
    let said = '';
    await new Promise<void>((resolve, reject) => {
      const listen = (text: Buffer) => {
        said += text;
        if (said.includes('thaw worker: ready')) resolve();
      };
      this.#child.stdout?.on('data', listen);
      this.#child.stderr?.on('data', listen);
      this.#child.once('exit', () => reject(new Error(`The worker ended before it was ready: ${said}`)));
    });
  }
}
