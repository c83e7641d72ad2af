import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in hundredths of a second, whatever the kernel's own tick is. */
const ticksPerSecond = 100;

interface ProcessTimes {
  readonly parent: number;
  /** Seconds of the process and of its children that have ended. */
  readonly seconds: number;
}

/**
 * CPU seconds that a process, its ended children and its living descendants have used so far; null where
 * there is no /proc to read it from, or no such process.
 */
export function cpuSeconds(pid: number): number | null {
  let family = readFamily(pid);
  for (let known = new Map(); !sameKeys(family, known); ) {
    // A child that was reaped during a reading counts in neither place; in the next one it counts in its parent.
    known = family;
    family = readFamily(pid);
  }
  if (!family.has(pid)) return null;
  return [...family.values()].reduce((sum, { seconds }) => sum + seconds, 0);
}

/** Most memory that a process has held so far, in bytes; null where there is no /proc. */
export function peakMemory(pid: number): number | null {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readOrNull(`/proc/${pid}/status`) ?? '')?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}

/** The process and its living descendants. */
function readFamily(pid: number): Map<number, ProcessTimes> {
  const all = processTimes(pid);
  const family = new Map<number, ProcessTimes>();
  const add = (member: number, times: ProcessTimes | undefined): void => {
    if (times === undefined) return;
    family.set(member, times);
    for (const [child, childTimes] of all) if (childTimes.parent === member) add(child, childTimes);
  };
  add(pid, all.get(pid));
  return family;
}

function sameKeys(a: ReadonlyMap<number, unknown>, b: ReadonlyMap<number, unknown>): boolean {
  return a.size === b.size && [...a.keys()].every((key) => b.has(key));
}

/** All processes; the given one is read first, so that a child reaped meanwhile does not count twice. */
function processTimes(first: number): Map<number, ProcessTimes> {
  const all = new Map<number, ProcessTimes>();
  for (const name of [String(first), ...listOrNone('/proc')]) {
    const stat = /^\d+$/.test(name) && !all.has(Number(name)) ? readOrNull(`/proc/${name}/stat`) : null;
    if (stat === null) continue;
    // The command's name, in parentheses, may hold anything; the fields are counted behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    all.set(Number(name), { parent: Number(fields[1]), seconds: ticks / ticksPerSecond });
  }
  return all;
}

function listOrNone(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
