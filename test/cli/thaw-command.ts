import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** How a command ended, and what it printed. */
export interface CommandEnd {
  /** null where a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running `thaw …`. */
export class ThawCommand {
  readonly #child: ChildProcess;
  readonly #ended: Promise<CommandEnd>;
  #stdout = '';
  #stderr = '';

  constructor(args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#ended = once(this.#child, 'close').then(([exitCode]: unknown[]) => ({
      exitCode: exitCode as number | null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  /** What it has printed so far. */
  get stdout(): string {
    return this.#stdout;
  }

  ended(): Promise<CommandEnd> {
    return this.#ended;
  }

  /** Sends a signal; with SIGKILL it has no chance to clean up. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

/** Runs `thaw …` to its end. */
export function thaw(args: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandEnd> {
  return new ThawCommand(args, env).ended();
}
