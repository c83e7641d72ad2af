import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isAlive, processStart } from './process-identity.ts';

/** A lock that is held. */
export interface Lock {
  release(): void;
}

/** Who holds a lock: pid and start time of the process, and a mark of its own for each taking. */
interface Holder {
  readonly pid: number;
  readonly start: string | null;
  readonly mark: string;
}

/**
 * Takes a lock file for this process; gives the holder's pid when another live process has it, and breaks
 * a lock whose process is dead. The file appears by `link`, whole and only where there is none.
 */
export function tryLock(file: string): Lock | { readonly heldBy: number } {
  mkdirSync(path.dirname(file), { recursive: true });
  const mine: Holder = {
    pid: process.pid,
    start: processStart(process.pid),
    mark: randomBytes(8).toString('hex'),
  };
  for (;;) {
    if (place(file, mine)) return { release: () => releaseLock(file, mine) };
    const holder = read(file);
    if (holder === null) continue;
    if (isAlive(holder.pid) && processStart(holder.pid) === holder.start) return { heldBy: holder.pid };
    breakLock(file, holder);
  }
}

function place(file: string, holder: Holder): boolean {
  const fresh = `${file}.${holder.mark}`;
  writeFileSync(fresh, JSON.stringify(holder), { mode: 0o600 });
  try {
    linkSync(fresh, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** Moves the dead lock aside; when somebody has just put a live one in its place, that one goes back. */
function breakLock(file: string, dead: Holder): void {
  const aside = `${file}.${randomBytes(8).toString('hex')}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = read(aside);
  if (moved !== null && moved.mark !== dead.mark) place(file, moved);
  rmSync(aside, { force: true });
}

function releaseLock(file: string, mine: Holder): void {
  if (read(file)?.mark === mine.mark) rmSync(file, { force: true });
}

function read(file: string): Holder | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
