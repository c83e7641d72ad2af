import { formatBytes, formatCount } from '../restore/format.ts';
import { openStore } from '../store/open-store.ts';
import type { Verdict } from '../verify/table-report.ts';
import { verifyRestore } from '../verify/verify-restore.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { findRestore, type RestoreSearch } from './find-restore.ts';
import { Interrupt } from './interrupt.ts';
import { verifyLines } from './verify-lines.ts';

/** One `thaw verify`. */
export interface VerifyJob extends RestoreSearch {
  /** Null: all. */
  readonly tables: readonly string[] | null;
  readonly json: boolean;
}

const exitCodeOf: Readonly<Record<Verdict, ExitCode>> = {
  equal: exitCodes.done,
  different: exitCodes.invalid,
  incomplete: exitCodes.failed,
};

/** Milliseconds between two lines on how far it is. */
const lineEvery = 5_000;

/**
 * Compares the tables of a restore with its archives and prints what it found.
 *
 * @throws ThawError where nothing could be compared
 */
export async function runVerify(job: VerifyJob): Promise<ExitCode> {
  const { config, env, printer, tables, json } = job;
  const restore = await findRestore(job);
  const interrupt = new Interrupt();
  const { signal } = interrupt;
  const store = openStore(config.store, env);
  const done = { archives: 0, bytes: 0 };
  let total = '';
  const told = () =>
    printer.aside(`${formatCount(done.archives)}${total} archives  ${formatBytes(done.bytes)}`);
  const timer = setInterval(told, lineEvery);
  try {
    const report = await verifyRestore({
      ...{ config, env, store, restore, tables, signal },
      onExtent: (archives) => {
        total = `/${formatCount(archives)}`;
      },
      onArchives: (archives, bytes) => {
        done.archives += archives;
        done.bytes += bytes;
      },
    });
    if (json) printer.line(JSON.stringify(report));
    else for (const line of verifyLines(report)) printer.line(line);
    return exitCodeOf[report.verdict];
  } catch (error) {
    if (!signal.aborted) throw error;
    printer.aside('Interrupted: not everything was compared.');
    return exitCodes.interrupted;
  } finally {
    clearInterval(timer);
    interrupt.release();
    store.close();
  }
}
