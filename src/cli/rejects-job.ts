import type pg from 'pg';
import { findDatabase } from '../config/database-config.ts';
import type { DatabaseConfig } from '../config/thaw-config.ts';
import { FileTarget, StreamTarget } from '../export/export-target.ts';
import { connectDatabase } from '../postgres/connect-database.ts';
import { disconnect } from '../postgres/connection.ts';
import { listRejects, type RejectedArchive, readKeptLines } from '../postgres/kept-rows.ts';
import { formatCount } from '../restore/format.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { findRestore, type RestoreSearch } from './find-restore.ts';
import { rejectsLines } from './rejects-lines.ts';

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
    const found = await withClient(database, job.env, (client) => listRejects(client, restoreId));
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
  const { restoreId, tables, output, printer } = job;
  const [database] = await databasesOf(job);
  if (database === undefined) return exitCodes.done;
  const target = output === null ? new StreamTarget(printer.stream) : await FileTarget.open(output);
  try {
    const rows = await withClient(database, job.env, async (client) => {
      const archives = (await listRejects(client, restoreId)).filter((each) => isChosen(each.target, tables));
      let written = 0;
      for (const { oid, key } of archives) {
        for await (const { content } of readKeptLines(client, { restoreId, oid }, key)) {
          await target.write(Buffer.from(`${content}\n`));
          written += 1;
        }
      }
      return written;
    });
    await target.commit();
    printer.aside(`Exported ${formatCount(rows)} rejected rows.`);
    return exitCodes.done;
  } catch (error) {
    await target.discard();
    throw error;
  }
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

async function withClient<T>(
  database: DatabaseConfig,
  env: NodeJS.ProcessEnv,
  action: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = await connectDatabase(database, env, { applicationName: 'thaw/rejects' });
  try {
    return await action(client);
  } finally {
    await disconnect(client);
  }
}
