import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ThawError } from '../contract/thaw-error.ts';
import { describeProcess, endProcess, isAlive, type ProcessIdentity } from './process-identity.ts';

/** Another user to run a process as; only root can ask for one. */
export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
}

/** What to run, and where its traces go. */
export interface ProcessOptions {
  /** Names the process in messages, its log `{folder}/logs/{name}.log` and its record. */
  readonly name: string;
  /** State folder: holds logs and the records by which a later start finds left-overs. */
  readonly folder: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the process. */
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly user?: ProcessUser | null;
  /** Asks the process to stop in an orderly way. @default 'SIGTERM' */
  readonly stopSignal?: NodeJS.Signals;
  /** Milliseconds that it gets for that before SIGKILL. @default 10000 */
  readonly stopTimeoutMs?: number;
}

/** A process of the stack that was started here. */
export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves with how it ended, for instance `exit code 1` or `SIGKILL`; never rejects. */
  readonly ended: Promise<string>;
  /** Asks it to stop and waits until it has; kills its whole group when it does not in time. */
  stop(): Promise<void>;
}

interface ProcessRecord extends ProcessIdentity {
  readonly stopSignal: NodeJS.Signals;
}

/**
 * Starts a process in a session of its own, so that Ctrl-C in the terminal reaches only the parent, which
 * then stops its children in the right order. Output goes straight into a file: a pipe would break, and
 * take the child down, when the parent is killed.
 *
 * Errors: `ConfigInvalid` when the command cannot be run.
 */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const logFile = freshLog(options.folder, options.name);
  const output = openSync(logFile, 'a', 0o600);
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['ignore', output, output],
    ...(options.user ?? {}),
  });
  closeSync(output);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) =>
      reject(new ThawError('ConfigInvalid', `${options.name} cannot be run: ${options.command}`, { cause })),
    );
  });
  const pid = child.pid as number;
  const stopSignal = options.stopSignal ?? 'SIGTERM';
  const record = recordPath(options.folder, options.name);
  // One that has ended already lives under no start time.
  const identity = { pid, startedAt: describeProcess(pid)?.startedAt ?? '' };
  writeRecord(record, { ...identity, stopSignal });

  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      if (readRecord(record)?.pid === pid) rmSync(record, { force: true });
      resolve(signal ?? `exit code ${code}`);
    });
  });
  return {
    name: options.name,
    pid,
    logFile,
    ended,
    stop: async () => {
      await end({ ...identity, stopSignal }, options.stopTimeoutMs);
      await ended;
    },
  };
}

/**
 * Ends the process that an earlier parent, killed before it could clean up, left behind under this name.
 * A process that merely has the same pid now is told by its start time and left alone.
 */
export async function endLeftover(folder: string, name: string): Promise<boolean> {
  const file = recordPath(folder, name);
  const record = readRecord(file);
  if (record === null) return false;
  const ours = isAlive(record);
  if (ours) await end(record);
  rmSync(file, { force: true });
  return ours;
}

/**
 * Waits until `probe` says true; while it throws or says false it is asked again.
 *
 * Errors: `ConfigInvalid` when the process ends first or the time is over, with the end of its log.
 */
export async function waitUntilReady(
  process: RunningProcess,
  timeoutMs: number,
  probe: () => Promise<boolean>,
): Promise<void> {
  let ended: string | null = null;
  void process.ended.then((how) => {
    ended = how;
  });
  const deadline = Date.now() + timeoutMs;
  while (!(await probe().catch(() => false))) {
    if (ended !== null) throw notReady(process, `ended (${ended}) before it was ready`);
    if (Date.now() > deadline) {
      await process.stop();
      throw notReady(process, `was not ready after ${timeoutMs / 1000} s`);
    }
    await sleep(50);
  }
}

function notReady(process: RunningProcess, what: string): ThawError {
  const tail = readFileSync(process.logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
  return new ThawError('ConfigInvalid', `${process.name} ${what}:\n${tail}`, {
    object: process.name,
    hint: `Its whole output is in ${process.logFile}.`,
  });
}

function end({ stopSignal, ...identity }: ProcessRecord, graceMs = 10_000): Promise<void> {
  return endProcess(identity, { signal: stopSignal, graceMs, group: true });
}

/** Keeps the log of the run before beside the new one, since that is the one which tells of a crash. */
function freshLog(folder: string, name: string): string {
  const logs = path.join(folder, 'logs');
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const file = path.join(logs, `${name}.log`);
  if (existsSync(file)) renameSync(file, `${file}.1`);
  return file;
}

function recordPath(folder: string, name: string): string {
  const records = path.join(folder, 'processes');
  mkdirSync(records, { recursive: true, mode: 0o700 });
  return path.join(records, `${name}.json`);
}

function writeRecord(file: string, record: ProcessRecord): void {
  writeFileSync(`${file}.new`, JSON.stringify(record));
  renameSync(`${file}.new`, file);
}

function readRecord(file: string): ProcessRecord | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ProcessRecord) : null;
}
