import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ProcessUser } from '../../stack/process.ts';

/** What to run. Arguments are seen by every user of the machine: nothing secret stands in them. */
export interface ProgramRun {
  /** Path of the program. */
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: NodeJS.ProcessEnv;
  /** The folder that it runs in. @default that of this process */
  readonly cwd?: string;
  readonly signal: AbortSignal;
  /** Who it runs as; only root can ask for another than itself. */
  readonly user?: ProcessUser | null;
  /** Goes to its standard input; without it, the program has none. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** Goes on with the input to its end when the program has ended well before. @default false */
  readonly readInputToEnd?: boolean;
  /** Takes its standard output; without it, the output is thrown away. */
  readonly onOutput?: (chunks: AsyncIterable<Buffer>) => Promise<void>;
  /** Called with each line of its standard error, cut at {@link longestLine} characters. */
  readonly onMessage: (line: string) => void;
}

/** How a program ended: with a code, or by a signal. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Characters of a line of standard error that are kept: pg_restore repeats whole statements there. */
export const longestLine = 2_000;

/** Milliseconds between SIGTERM, upon which pg_restore cancels its statements, and SIGKILL. */
const grace = 5_000;

/**
 * Runs a program without any shell, in a process group of its own, and waits until it has ended and
 * everything was read. When the signal aborts, or input or output fail, the whole group is ended first; its
 * input is not closed before that, so that a program never takes what came until then for all.
 *
 * @returns also for a program that failed: what that means is for the caller to say
 * @throws ThawError `ConfigInvalid` where it cannot be started; the signal's reason; what input and output throw
 */
export async function runProgram(run: ProgramRun): Promise<ProgramEnd> {
  const { signal } = run;
  signal.throwIfAborted();
  const child = spawn(run.program, run.args, {
    env: run.env,
    cwd: run.cwd,
    ...(run.user ?? {}),
    detached: true,
    stdio: [run.input ? 'pipe' : 'ignore', run.onOutput ? 'pipe' : 'ignore', 'pipe'],
  });
  const ended = endOf(child);
  const failure = new AbortController();
  const fail = (error: unknown) => failure.abort(error);
  const abort = () => fail(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  failure.signal.addEventListener('abort', () => void endGroup(child, ended), { once: true });
  try {
    await spawned(child, run.program);
    const work = [readLines(child.stderr as Readable, run.onMessage)];
    if (run.onOutput) work.push(run.onOutput(child.stdout as Readable));
    if (run.input) work.push(feed(run.input, child.stdin as Writable, ended, run.readInputToEnd === true));
    await Promise.all(work.map((one) => one.catch(fail)));
    const end = await ended;
    failure.signal.throwIfAborted();
    return end;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function spawned(child: ChildProcess, program: string): Promise<void> {
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new ThawError('ConfigInvalid', `${path.basename(program)} cannot be run: ${program}`, {
      object: program,
      hint: 'Install the client programs of PostgreSQL, or name the folder where they lie in PG_BIN.',
      cause,
    });
  }
}

/** Resolves once the process has ended and its outputs are closed; never rejects. */
function endOf(child: ChildProcess): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

/** SIGTERM, then SIGKILL, to the process with all that it started. */
async function endGroup(child: ChildProcess, ended: Promise<ProgramEnd>): Promise<void> {
  sendGroup(child, 'SIGTERM');
  const timer = setTimeout(() => sendGroup(child, 'SIGKILL'), grace);
  await ended;
  clearTimeout(timer);
}

function sendGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // It ended by itself meanwhile; macOS says EPERM of a group that has only a zombie left.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

/**
 * Writes the input to a program and closes it at its end. A program that ends early says by its code and
 * messages why; that its input breaks then (EPIPE) is no failure of its own.
 */
async function feed(
  input: AsyncIterable<Uint8Array>,
  stdin: Writable,
  ended: Promise<ProgramEnd>,
  toEnd: boolean,
): Promise<void> {
  const closed = new Promise<'closed'>((resolve) => stdin.once('close', () => resolve('closed')));
  stdin.on('error', () => stdin.destroy());
  const iterator = input[Symbol.asyncIterator]();
  for (;;) {
    const next = await Promise.race([iterator.next(), closed]);
    if (next === 'closed') break;
    if (next.done) {
      stdin.end();
      return;
    }
    if (!stdin.write(next.value)) await Promise.race([once(stdin, 'drain').catch(() => null), closed]);
  }
  const { code } = await ended;
  if (code === 0 && toEnd) while (!(await iterator.next()).done);
  // Not waited for: it has its turn only when the source has answered what it was asked last.
  else iterator.return?.().catch(() => null);
}

async function readLines(stderr: Readable, onMessage: (line: string) => void): Promise<void> {
  const decoder = new StringDecoder('utf8');
  let line = '';
  for await (const chunk of stderr) {
    const parts = decoder.write(chunk as Buffer).split('\n');
    for (const [index, part] of parts.entries()) {
      if (index > 0) {
        onMessage(line);
        line = '';
      }
      if (line.length < longestLine) line = (line + part).slice(0, longestLine);
    }
  }
  if (line !== '') onMessage(line);
}
