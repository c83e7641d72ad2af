import { findRecordedRestore } from '../client/recorded-restore.ts';
import { findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { StoredRestore } from '../postgres/restores.ts';
import { formatBytes, formatCount } from '../restore/format.ts';
import { openStore } from '../store/open-store.ts';
import type { Verdict } from '../verify/table-report.ts';
import { verifyRestore } from '../verify/verify-restore.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { Interrupt } from './interrupt.ts';
import type { Printer } from './printer.ts';
import { verifyLines } from './verify-lines.ts';

/** One `thaw verify`. */
export interface VerifyJob {
  readonly config: ThawConfig;
  readonly restoreId: string;
  /** Null: the restore is looked for in all. */
  readonly database: string | null;
  /** Null: all. */
  readonly tables: readonly string[] | null;
  readonly json: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
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

/** @throws ThawError `InputInvalid` where no database knows it */
async function findRestore({ config, env, restoreId, database, printer }: VerifyJob): Promise<StoredRestore> {
  const only = database === null ? null : findDatabase(config, database).name;
  const { restores, unanswered } = await findRecordedRestore(config, env, restoreId, only);
  const [restore] = restores;
  if (restore !== undefined) return restore;
  for (const { database: name, error } of unanswered) {
    printer.aside(`${name} could not be asked: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new ThawError('InputInvalid', `no restore ${restoreId} is known`, {
    object: restoreId,
    hint: 'See `thaw status` without an id for the latest ones.',
  });
}
