import type pg from 'pg';
import { ThawError } from '../../contract/thaw-error.ts';
import { terminateSessions } from '../../postgres/database-sessions.ts';
import {
  allowConnections,
  commentOnDatabase,
  type DatabaseRow,
  readDatabase,
  renameDatabase,
} from '../../postgres/databases.ts';
import { inTransaction, lockTimeout } from '../../postgres/transaction.ts';
import { oldDatabaseName } from './database-names.ts';
import { type DatabaseRecord, formatRecord } from './database-record.ts';
import { repairLive } from './repair-live.ts';

/** The database that had the name. */
export interface Left {
  /** The name that it is kept under; null where there was none. */
  readonly old: string | null;
  /** When it may be dropped, ISO 8601. */
  readonly dropAt: string | null;
}

/** What an exchange did. */
export interface Exchanged extends Left {
  readonly notices: readonly string[];
}

/** A database that takes the place of another. */
export interface Exchange {
  /** The name that changes hands. */
  readonly name: string;
  /** The database that has it, and will be kept; null where none has. */
  readonly leaving: DatabaseRow | null;
  /** The database that will have it, and what its comment says. */
  readonly coming: DatabaseRow;
  readonly record: DatabaseRecord;
  /** The restore that does it. */
  readonly restoreId: string;
  readonly keepOldSeconds: number;
  /** What else is changed in the same transaction, before the renames; gives what the user should know of it. */
  readonly prepare: () => Promise<string[]>;
  /** The comment of the database that will have the name. */
  readonly comment: string | null;
}

/**
 * Gives a name to another database. Both are closed to new sessions first, and those that are there ended; then
 * both are renamed in one transaction, so that a client finds the one or the other or is refused, and the one
 * that leaves says in its comment what it was. When anything fails both are open again under the names that they
 * had; where the process dies in between, {@link repairLive} opens them.
 *
 * @param client a session in the maintenance database that holds the lock of the name
 * @throws ThawError `PermissionDenied`, `LockTimeout`; `TargetBusy` where the name has changed hands meanwhile
 */
export async function exchange(
  client: pg.Client,
  change: Exchange,
  signal?: AbortSignal,
): Promise<Exchanged> {
  const both = [change.coming, ...(change.leaving === null ? [] : [change.leaving])];
  await inTransaction(client, async () => {
    const closed = both.map(({ oid }) => oid);
    await commentOnDatabase(client, change.coming.name, formatRecord({ ...change.record, closed }));
    for (const { name } of both) await allowConnections(client, name, false);
  });
  try {
    const names = both.map(({ name }) => name);
    await terminateSessions(client, names, signal);
    return await inTransaction(client, () => rename(client, change));
  } catch (error) {
    // Where the session is lost it cannot be done here; the next attempt begins with it.
    await repairLive(client, change.name).catch(() => {});
    throw error;
  }
}

async function rename(client: pg.Client, change: Exchange): Promise<Exchanged> {
  const { name, leaving, coming } = change;
  // A session that began before the door was shut holds a lock of the database until it is refused.
  await client.query(`set local lock_timeout = '${lockTimeout}'`);
  await expectUnchanged(client, change);
  const notices = await change.prepare();
  const left = leaving === null ? { old: null, dropAt: null } : await leave(client, leaving, change);
  await renameDatabase(client, coming.name, name);
  await commentOnDatabase(client, name, change.comment);
  await allowConnections(client, name, true);
  return { ...left, notices };
}

async function expectUnchanged(client: pg.Client, { name, leaving }: Exchange): Promise<void> {
  const found = await readDatabase(client, name);
  if ((found?.oid ?? null) === (leaving?.oid ?? null)) return;
  throw new ThawError('TargetBusy', `${name}: another database has taken its place meanwhile.`, {
    object: name,
    hint: 'See who else restores or renames databases there, then restore again.',
  });
}

/** Keeps the database that leaves, open as it was: its new name alone keeps clients away that want the live one. */
async function leave(client: pg.Client, leaving: DatabaseRow, change: Exchange): Promise<Left> {
  const now = new Date();
  const dropAt = new Date(now.getTime() + change.keepOldSeconds * 1000).toISOString();
  const old = await freeName(client, change.name, now);
  await renameDatabase(client, change.name, old);
  const record = formatRecord({
    thaw: 'old',
    restore: change.restoreId,
    live: change.name,
    closed: [],
    replacedBy: change.coming.name,
    replacedAt: now.toISOString(),
    dropAt,
    comment: leaving.comment,
  });
  await commentOnDatabase(client, old, record);
  await allowConnections(client, old, true);
  return { old, dropAt };
}

/** Two that are replaced in the same second, or whose long names are cut to the same, would be called the same. */
async function freeName(client: pg.Client, live: string, at: Date): Promise<string> {
  const name = oldDatabaseName(live, at);
  if ((await readDatabase(client, name)) === null) return name;
  return freeName(client, live, new Date(at.getTime() + 1000));
}
