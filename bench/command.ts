import { spawn } from 'node:child_process';

/** A command that has ended well. */
export interface CommandResult {
  /** Wall time from its start to its end. */
  readonly seconds: number;
  readonly stdout: string;
}

const stopping = new AbortController();

/** Aborts when the benchmark is asked to stop; commands that run are ended by it. */
export const stopSignal = stopping.signal;

/** Lets SIGINT and SIGTERM end the benchmark in an orderly way, with its servers stopped. */
export function stopOnSignals(): void {
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => stopping.abort(new Error(`stopped by ${name}`)));
  }
}

/**
 * Runs a command to its end.
 *
 * @throws Error with what it said when it cannot be run or does not exit with 0
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<CommandResult> {
  const started = performance.now();
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = () => child.kill('SIGTERM');
  stopSignal.addEventListener('abort', stop);
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const ended = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  }).finally(() => stopSignal.removeEventListener('abort', stop));
  const seconds = (performance.now() - started) / 1000;
  stopSignal.throwIfAborted();
  if (ended === 'exit code 0') return { seconds, stdout: output.stdout };
  const said = `${output.stdout.slice(0, 2_000)}\n${output.stderr.slice(-2_000)}`.trim();
  throw new Error(`${command} ${args.join(' ')}: ${ended}\n${said}`);
}

/** The environment without settings that would point a command at other servers than the benchmark's. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(AWS|PG|TEMPORAL|THAW)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}
