import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import { administer } from './databases.ts';
import { endSessions } from './targets.ts';

/** Key of the advisory locks of databases that are replaced, one for each name: "dbsw" in ASCII. */
const databaseLock = 0x64627377;

/** Milliseconds that an earlier attempt of the same restore, which was ended, gets to let go. */
const patience = 15_000;

/** Begins the names of the sessions that replace databases for a restore; what comes after may be chosen. */
export function dumpSessionPrefix(restoreId: string): string {
  return `thaw/${restoreId}/dump/`;
}

/**
 * Does something that nobody else may do at the same time with the database of that name, whatever Temporal
 * server they go by. Sessions of the same restore that hold the lock are of an earlier attempt and are ended;
 * the session itself may hold it already.
 *
 * @param client a session in the maintenance database, where the lock is, named by {@link dumpSessionPrefix}
 * @param action its signal is aborted when the session, and so the lock, is lost
 * @throws ThawError `TargetBusy` naming the holder, and what PostgreSQL answers to the action
 */
export async function withDatabaseLock<Result>(
  client: pg.Client,
  lock: { readonly database: string; readonly restoreId: string },
  action: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  return administer(lock.database, () => withLock(client, lock, action));
}

async function withLock<Result>(
  client: pg.Client,
  lock: { readonly database: string; readonly restoreId: string },
  action: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const key = [databaseLock, lock.database];
  await take(client, key, lock);
  const lost = new AbortController();
  const onEnd = () =>
    lost.abort(
      new ThawError('DatabaseUnavailable', `${lock.database}: the session that holds its lock was lost.`, {
        object: lock.database,
      }),
    );
  client.once('end', onEnd);
  try {
    return await action(lost.signal);
  } finally {
    client.off('end', onEnd);
    // With the session the lock is gone too.
    await client.query('select pg_advisory_unlock($1, hashtext($2))', key).catch(() => {});
  }
}

async function take(
  client: pg.Client,
  key: readonly unknown[],
  { database, restoreId }: { readonly database: string; readonly restoreId: string },
): Promise<void> {
  const until = Date.now() + patience;
  while (!(await tryLock(client, key))) {
    const holder = await holderOf(client, key);
    const ours = holder?.startsWith(dumpSessionPrefix(restoreId));
    if ((holder !== null && !ours) || Date.now() > until) {
      throw new ThawError('TargetBusy', `${database} is being replaced by ${holder ?? 'another session'}.`, {
        object: database,
        hint: 'Wait for the restore that holds the database, or cancel it.',
      });
    }
    if (ours) await endSessions(client, dumpSessionPrefix(restoreId));
    await delay(100);
  }
}

async function tryLock(client: pg.Client, key: readonly unknown[]): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(
    'select pg_try_advisory_lock($1, hashtext($2)) as taken',
    [...key],
  );
  return rows[0]?.taken ?? false;
}

/** The name of the session that holds it; null where it has let go meanwhile. */
async function holderOf(client: pg.Client, key: readonly unknown[]): Promise<string | null> {
  const { rows } = await client.query<{ holder: string }>(
    `select coalesce(nullif(a.application_name, ''), 'process ' || l.pid) as holder
     from pg_locks l join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.granted and l.objsubid = 2
       and l.database = (select oid from pg_database where datname = current_database())
       and l.classid::int8 = $1 and l.objid = hashtext($2)::int8 & 4294967295`,
    [...key],
  );
  return rows[0]?.holder ?? null;
}
