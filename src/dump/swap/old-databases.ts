import type pg from 'pg';
import { ThawError } from '../../contract/thaw-error.ts';
import { withDatabaseLock } from '../../postgres/database-lock.ts';
import { mayNotEnd, stubbornSessions } from '../../postgres/database-sessions.ts';
import { dropDatabase, readDatabase, readDatabases } from '../../postgres/databases.ts';
import { type OldRecord, parseRecord } from './database-record.ts';

/** A database that was replaced and is kept. */
export interface KeptDatabase {
  readonly name: string;
  readonly oid: number;
  readonly record: OldRecord;
}

/** Milliseconds by which the clocks of who wrote the record and who drops may differ. */
const clockSkew = 60_000;

/** The databases that were replaced and are kept, those replaced last first. */
export async function listOld(client: pg.Client): Promise<KeptDatabase[]> {
  const databases = await readDatabases(client);
  return databases
    .flatMap(({ name, oid, comment }) => {
      const record = parseRecord(comment);
      return record?.thaw === 'old' ? [{ name, oid, record }] : [];
    })
    .sort((a, b) => (a.record.replacedAt < b.record.replacedAt ? 1 : -1));
}

/**
 * Drops an old database with whoever is connected, where its comment still says that a swap keeps it and that
 * its time is over.
 *
 * @param client a session in the maintenance database
 * @param restoreId who asks, for the lock
 * @param when `now`: whether its time is over or not
 * @returns `gone`: there is none of that name, since it was swapped back or dropped; `kept`: its comment says
 *   something else by now, or another time
 * @throws ThawError `LockTimeout`, as both pass, while the live database is being replaced, and while sessions are in the
 * old one that the user may not end
 */
export async function dropOld(
  client: pg.Client,
  name: string,
  restoreId: string,
  when: 'in time' | 'now' = 'in time',
): Promise<'dropped' | 'gone' | 'kept'> {
  const found = await readOld(client, name);
  if (found === null || found === 'kept') return found ?? 'gone';
  const lock = { database: found.live, restoreId };
  const dropping = withDatabaseLock(client, lock, async () => {
    const record = await readOld(client, name);
    if (record === null || record === 'kept') return record ?? 'gone';
    if (when === 'in time' && Date.parse(record.dropAt) > Date.now() + clockSkew) return 'kept';
    const stubborn = await stubbornSessions(client, name);
    if (stubborn.length > 0) throw later(name, mayNotEnd([name], stubborn).message);
    await dropDatabase(client, name);
    return 'dropped';
  });
  return dropping.catch((error: unknown) => {
    throw error instanceof ThawError && error.code === 'TargetBusy' ? later(name, error.message) : error;
  });
}

function later(name: string, message: string): ThawError {
  return new ThawError('LockTimeout', `${name} cannot be dropped yet: ${message}`, {
    object: name,
    hint: 'It is tried again.',
  });
}

async function readOld(client: pg.Client, name: string): Promise<OldRecord | 'kept' | null> {
  const found = await readDatabase(client, name);
  if (found === null) return null;
  const record = parseRecord(found.comment);
  return record?.thaw === 'old' ? record : 'kept';
}
