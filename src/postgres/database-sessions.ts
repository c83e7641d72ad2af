import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';

/** A session in a database. */
interface DatabaseSession {
  readonly database: string;
  readonly user: string;
  readonly application: string;
  readonly mayEnd: boolean;
}

/** Milliseconds that sessions get to end, once new ones are refused. */
const patience = 30_000;

/** Milliseconds between two looks at who is left. */
const lookEvery = 50;

/**
 * Those in the databases `$1`, without autovacuum, which gives way by itself. `mayEnd` is the rule of
 * pg_terminate_backend: nobody but a superuser ends sessions of superusers.
 */
const sessionsSql = `
  select a.pid, a.datname as database, r.rolname as "user", coalesce(a.application_name, '') as application,
    me.rolsuper or (not r.rolsuper and (pg_has_role(r.oid, 'usage') or pg_has_role('pg_signal_backend', 'usage')))
      as "mayEnd"
  from pg_stat_activity a
  join pg_roles r on r.oid = a.usesysid
  cross join (select rolsuper from pg_roles where rolname = current_user) as me
  where a.datname = any($1::name[]) and a.pid <> pg_backend_pid()`;

/**
 * Sessions in a database that the user of this one may not end.
 *
 * @returns what to call them: `argus (psql)`
 */
export async function stubbornSessions(client: pg.Client, database: string): Promise<string[]> {
  const { rows } = await client.query<DatabaseSession>(sessionsSql, [[database]]);
  return rows.filter(({ mayEnd }) => !mayEnd).map(describe);
}

/** How many sessions are in a database, that of this client aside. */
export async function countSessions(client: pg.Client, database: string): Promise<number> {
  return (await client.query(sessionsSql, [[database]])).rows.length;
}

/**
 * Ends all sessions in databases, and waits until they are gone. New ones have to be refused by then, or
 * clients that reconnect keep it from ending.
 *
 * @throws ThawError `PermissionDenied` naming those that the user may not end, `LockTimeout` naming those that stay
 */
export async function terminateSessions(
  client: pg.Client,
  databases: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const until = Date.now() + patience;
  for (;;) {
    const { rows: left } = await client.query<DatabaseSession>(
      `select *, case when "mayEnd" then pg_terminate_backend(pid) end as ended from (${sessionsSql}) as session`,
      [databases],
    );
    if (left.length === 0) return;
    const stubborn = left.filter(({ mayEnd }) => !mayEnd);
    if (stubborn.length > 0) throw mayNotEnd(databases, stubborn.map(describe));
    if (Date.now() > until) {
      throw new ThawError('LockTimeout', `Sessions do not end: ${left.map(describe).join(', ')}.`, {
        object: left[0]?.database,
        hint: 'See pg_stat_activity for what they wait for; it is tried again.',
      });
    }
    await delay(lookEvery, undefined, { signal });
  }
}

/** The error of sessions that the user may not end, by {@link stubbornSessions}. */
export function mayNotEnd(databases: readonly string[], sessions: readonly string[]): ThawError {
  return new ThawError(
    'PermissionDenied',
    `${databases.join(', ')}: the user may not end the sessions of ${[...new Set(sessions)].join(', ')}.`,
    {
      object: databases[0],
      hint: 'End them yourself, grant pg_signal_backend to the user of Thaw, or, where they are of superusers, connect as one.',
    },
  );
}

function describe({ user, application }: DatabaseSession): string {
  return application === '' ? user : `${user} (${application})`;
}
