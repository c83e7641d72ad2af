import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ThawError } from '../contract/thaw-error.ts';

/** A process, told apart from a later one that was given the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in whatever unit the system tells: to be compared, not read. */
  readonly startedAt: string;
}

/** A process that lives. */
export interface LiveProcess extends ProcessIdentity {
  /** Its command line, arguments separated by spaces. */
  readonly command: string;
}

/** Something on disk that belongs to a process and counts only as long as that process lives. */
export interface ProcessMark extends ProcessIdentity {
  /** Tells apart several marks of one process. */
  readonly nonce: string;
}

/** How to end a process. */
export interface EndOptions {
  /** Asks it to end in an orderly way. @default 'SIGTERM' */
  readonly signal?: NodeJS.Signals;
  /** Milliseconds that it gets for that before SIGKILL. */
  readonly graceMs: number;
  /** SIGKILL reaches its children too: it leads a process group. @default false */
  readonly group?: boolean;
}

const hasProcfs = existsSync('/proc/self/stat');

/** Describes the process with this pid; null when there is none, or only its zombie. */
export function describeProcess(pid: number): LiveProcess | null {
  return hasProcfs ? describeByProcfs(pid) : describeByPs(pid);
}

/** Tells whether this very process still lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  return describeProcess(identity.pid)?.startedAt === identity.startedAt;
}

/** A new mark of the process that runs this. */
export function markOfThisProcess(): ProcessMark {
  const self = describeProcess(process.pid);
  if (self === null) throw new ThawError('ConfigInvalid', `process ${process.pid} cannot see itself`);
  return { pid: self.pid, startedAt: self.startedAt, nonce: randomBytes(6).toString('hex') };
}

/** A mark as a text that fits into a file name. */
export function formatMark(mark: ProcessMark): string {
  return `${mark.pid}~${encodeURIComponent(mark.startedAt)}~${mark.nonce}`;
}

/** Reads what `formatMark` wrote; null when it is something else. */
export function parseMark(text: string): ProcessMark | null {
  const match = /^(\d+)~([^~/]+)~([0-9a-f]+)$/.exec(text);
  const [, pid, startedAt, nonce] = match ?? [];
  if (pid === undefined || startedAt === undefined || nonce === undefined) return null;
  return { pid: Number(pid), startedAt: decodeURIComponent(startedAt), nonce };
}

/**
 * Ends a process: by its signal, and by SIGKILL when it is still there after `graceMs`. Resolves when it is
 * gone, at once when it was gone before.
 */
export async function endProcess(identity: ProcessIdentity, options: EndOptions): Promise<void> {
  const { pid } = identity;
  for (const { target, signal, patienceMs } of [
    { target: pid, signal: options.signal ?? ('SIGTERM' as const), patienceMs: options.graceMs },
    { target: options.group === true ? -pid : pid, signal: 'SIGKILL' as const, patienceMs: 10_000 },
  ]) {
    if (!isAlive(identity)) return;
    sendSignal(target, signal);
    if (await isGoneWithin(identity, patienceMs)) return;
  }
  throw new ThawError('ConfigInvalid', `process ${pid} does not end, not even by SIGKILL`, {
    object: String(pid),
    hint: 'Look at what it waits for (often a disk or network mount that hangs), then try again.',
  });
}

/** Sends a process SIGTERM, and does not wait. */
export function askToEnd(identity: ProcessIdentity): void {
  if (isAlive(identity)) sendSignal(identity.pid, 'SIGTERM');
}

async function isGoneWithin(identity: ProcessIdentity, patienceMs: number): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  while (isAlive(identity)) {
    if (Date.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

function sendSignal(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    // It ended by itself between the look and the signal.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Fields of /proc/[pid]/stat after the command name, see proc_pid_stat(5): state is 3, threads 20, start 22. */
function describeByProcfs(pid: number): LiveProcess | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    // The name stands in parentheses and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, threads, ticks] = [fields[0], fields[17], fields[19]];
    // A zombie has closed its files, unless it is only the first thread of several that are ending.
    if ((state === 'Z' || state === 'X') && Number(threads) <= 1) return null;
    // Ticks count from the boot: after the next boot the same pid may well start at the same tick.
    return { pid, startedAt: `${boot.trim()}/${ticks}`, command: command.replaceAll('\0', ' ').trim() };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}

function describeByPs(pid: number): LiveProcess | null {
  try {
    const columns = ['-o', 'stat=', '-o', 'lstart=', '-o', 'command='];
    const text = execFileSync('ps', ['-ww', ...columns, '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    });
    const match = /^\s*(\S+)\s+(\S+\s+\S+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/m.exec(text);
    const [, state, startedAt, command] = match ?? [];
    if (state === undefined || startedAt === undefined || command === undefined) return null;
    return state.startsWith('Z') ? null : { pid, startedAt, command };
  } catch (error) {
    // ps ends with 1 when it knows no such process.
    if ((error as { status?: unknown }).status === 1) return null;
    throw error;
  }
}
