import type pg from 'pg';
import { exactIsoTime } from './kept.ts';

/** How the times of a replay lie to each other, by the clock of the server. */
export interface ReplayTimes {
  readonly isFuture: boolean;
  readonly isBeforeSnapshot: boolean;
  /** The log is known to be complete from a later time on than that of the snapshot. */
  readonly isBeforeLog: boolean;
  /** The first entry is younger than the snapshot. */
  readonly beginsLater: boolean;
  /** Transactions that were begun before the time and may log changes of that time still. */
  readonly open: number;
}

/** Compares the times of a replay. @throws what PostgreSQL answers, raw */
export async function compareTimes(
  client: pg.Client,
  times: {
    readonly after: string;
    readonly until: string;
    readonly completeSince: string | null;
    readonly first: string | null;
  },
): Promise<ReplayTimes> {
  const { rows } = await client.query<ReplayTimes>(
    `select $2::timestamptz > clock_timestamp() as "isFuture", $2::timestamptz < $1::timestamptz as "isBeforeSnapshot",
       coalesce($3::timestamptz > $1::timestamptz, false) as "isBeforeLog",
       coalesce($4::timestamptz > $1::timestamptz, true) as "beginsLater",
       (
         select count(*) from pg_stat_activity
         where datname = current_database() and backend_xid is not null and xact_start <= $2::timestamptz
           and pid <> pg_backend_pid()
       ) as open`,
    [times.after, times.until, times.completeSince, times.first],
  );
  const [row] = rows;
  if (row === undefined) throw new TypeError('A query without a table has one row.');
  return row;
}

/** A time as PostgreSQL reads it, as ISO 8601 in UTC. @throws what PostgreSQL answers, raw */
export async function readTime(client: pg.Client, text: string): Promise<string> {
  const { rows } = await client.query<{ at: string }>(`select ${exactIsoTime('$1::timestamptz')} as at`, [
    text,
  ]);
  return rows[0]?.at ?? '';
}
