import type pg from 'pg';
import { findDatabase } from '../config/database-config.ts';
import { type ExportTarget, FileTarget, StreamTarget } from '../export/export-target.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { listRejects, type RejectedArchive, readKeptLines } from '../postgres/kept-rows.ts';
import { formatCount } from '../restore/format.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { findRestore, type RestoreSearch } from './find-restore.ts';
import { Interrupt } from './interrupt.ts';
import { rejectsLines } from './rejects-lines.ts';

const session = { applicationName: 'thaw/rejects' };

/** One `thaw rejects list`. */
export interface RejectsListing extends Omit<RestoreSearch, 'restoreId'> {
  /** Null: all. */
  readonly restoreId: string | null;
  /** Null: all. */
  readonly tables: readonly string[] | null;
  readonly json: boolean;
}

/** Tells what is kept of rejected rows, without their content. @throws ThawError */
export async function listRejectedRows(job: RejectsListing): Promise<void> {
  const { restoreId, tables, json, printer } = job;
  const archives: (RejectedArchive & { readonly database: string })[] = [];
  for (const database of await databasesOf(job)) {
    const found = await withDatabase(database, job.env, session, (client) => listRejects(client, restoreId));
    const chosen = found.filter(({ target }) => isChosen(target, tables));
    archives.push(...chosen.map((archive) => ({ database: database.name, ...archive })));
  }
  if (json) printer.line(JSON.stringify({ archives: archives.map(({ oid: _, ...archive }) => archive) }));
  else for (const line of rejectsLines(archives)) printer.line(line);
}

/** One `thaw rejects export`. */
export interface RejectsExport extends RestoreSearch {
  /** Null: all. */
  readonly tables: readonly string[] | null;
  /** Path; null: standard output. */
  readonly output: string | null;
}

/** Writes the kept rows of a restore as they were archived. @throws ThawError */
export async function exportRejects(job: RejectsExport): Promise<ExitCode> {
  const { output, printer } = job;
  const [database] = await databasesOf(job);
  if (database === undefined) return exitCodes.done;
  const interrupt = new Interrupt();
  const { signal } = interrupt;
  const target = output === null ? new StreamTarget(printer.stream) : await FileTarget.open(output);
  try {
    const rows = await withDatabase(database, job.env, { ...session, signal }, (client) =>
      writeRows(client, job, target),
    );
    await target.commit();
    printer.aside(`Exported ${formatCount(rows)} rejected rows.`);
    return exitCodes.done;
  } catch (error) {
    await target.discard();
    if (!signal.aborted) throw error;
    printer.aside('Interrupted.');
    return exitCodes.interrupted;
  } finally {
    interrupt.release();
  }
}

async function writeRows(
  client: pg.Client,
  { restoreId, tables }: RejectsExport,
  into: ExportTarget,
): Promise<number> {
  const archives = (await listRejects(client, restoreId)).filter(({ target }) => isChosen(target, tables));
  let rows = 0;
  for (const { oid, key } of archives) {
    for await (const { content } of readKeptLines(client, { restoreId, oid }, key)) {
      await into.write(Buffer.from(`${content}\n`));
      rows += 1;
    }
  }
  return rows;
}

/** The database that knows the restore; without one, all that are asked for. */
async function databasesOf(job: Omit<RestoreSearch, 'restoreId'> & { readonly restoreId: string | null }) {
  const { config, restoreId, database } = job;
  if (restoreId !== null) {
    const { request } = await findRestore({ ...job, restoreId });
    return [findDatabase(config, request.database)];
  }
  return database === null ? config.databases : [findDatabase(config, database)];
}

function isChosen(target: string, tables: readonly string[] | null): boolean {
  return tables === null || tables.some((name) => name === target || target.endsWith(`.${name}`));
}
