import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Tells whether a process with this pid runs; one that has ended but was not reaped yet does not count. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return linuxStat(pid)?.[0] !== 'Z';
}

/**
 * When a process started, in a form only fit for comparison; null when there is none. Pid and start
 * together name a process for good, where a pid alone is given away again.
 */
export function processStart(pid: number): string | null {
  if (hasProc) return linuxStat(pid)?.[19] ?? null;
  return ps(pid, 'lstart=');
}

/** The command line of a process, arguments parted by spaces; null when there is none. */
export function commandLine(pid: number): string | null {
  if (!hasProc) return ps(pid, 'command=');
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) ? readFileSync(file, 'utf8').replaceAll('\0', ' ') : null;
}

const hasProc = existsSync('/proc/self/stat');

/** Fields of /proc/{pid}/stat from the third (state) on: the second, the name, may hold spaces itself. */
function linuxStat(pid: number): string[] | null {
  if (!hasProc) return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

function ps(pid: number, column: string): string | null {
  try {
    return execFileSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
  } catch {
    return null;
  }
}
