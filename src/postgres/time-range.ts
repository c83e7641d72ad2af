import type pg from 'pg';
import type { AskedRange } from '../config/row-range.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { TimeRange } from '../contract/time-range.ts';
import type { TargetTable } from './catalog.ts';
import { quoteIdentifier } from './identifier.ts';
import { isSqlState } from './sqlstate.ts';
import type { Stage } from './stage.ts';
import type { StageRange } from './stage-range.ts';

/** Times that mean another moment each time they are read. */
const movingWords = /\b(now|today|tomorrow|yesterday)\b/i;
const dayAlone = /^\s*\d{4}-\d{2}-\d{2}\s*$/;

/**
 * Reads the limits of a range with PostgreSQL's own parser for the type of its column. Times without a zone
 * are in UTC.
 *
 * @throws ThawError `InputInvalid` for a column that has no time, a limit that is none, or no time in between
 */
export async function readTimeRange(
  client: pg.Client,
  target: TargetTable,
  { column, from, to }: AskedRange,
): Promise<TimeRange> {
  const type = target.columns.find(({ name }) => name === column)?.type;
  const object = `${target.schema}.${target.table}`;
  if (type?.kind !== 'scalar' || !['timestamp', 'timestamptz', 'date'].includes(type.name)) {
    const what = type === undefined ? 'there is no such column' : `it is of type ${type.name}`;
    throw new ThawError(
      'InputInvalid',
      `${object}: rows cannot be selected by their time in column ${column}: ${what}.`,
      { object, hint: 'timestamp_column of the table names a timestamp, timestamptz or date.' },
    );
  }
  const zoned = type.name === 'timestamptz';
  const limits = {
    from: from === null ? null : await readTime(client, from, zoned, '--rows-from', 0),
    to: to === null ? null : await readTime(client, to, zoned, '--rows-to', dayAlone.test(to) ? 1 : 0),
  };
  if (limits.from !== null && limits.to !== null && limits.from >= limits.to) {
    throw new ThawError('InputInvalid', `--rows-from: ${from} is not before --rows-to ${to}.`, {
      object: '--rows-from',
    });
  }
  return { column, zoned, ...limits };
}

/** @param days to add */
async function readTime(
  client: pg.Client,
  text: string,
  zoned: boolean,
  flag: string,
  days: 0 | 1,
): Promise<string> {
  const bad = (reason: string) =>
    new ThawError('InputInvalid', `${flag}: ${reason} (got ${JSON.stringify(text)})`, {
      object: flag,
      hint: 'Write it as 2026-01-31 or 2026-01-31T12:00:00Z.',
    });
  if (movingWords.test(text)) throw bad('must be the same time whenever it is read');
  let answer: TimeRow | undefined;
  try {
    const { rows } = await client.query<TimeRow>(
      `select to_char(instant, 'YYYY-MM-DD"T"HH24:MI:SS.US') as time, wall = instant as agree,
         isfinite(instant) and instant between '0001-01-01' and '9999-12-31' as plain
       from (select ($1::text::timestamptz at time zone 'UTC') + make_interval(days => $2) as instant,
         $1::text::timestamp + make_interval(days => $2) as wall) as read`,
      [text, days],
    );
    answer = rows[0];
  } catch (error) {
    // Class 22: PostgreSQL could not read it.
    if (isSqlState(error, '22007', '22008', '22023')) throw bad('must be a time');
    throw error;
  }
  if (answer?.plain !== true) throw bad('must be a time of the years 1 to 9999');
  if (!zoned && !answer.agree) throw bad('must be without a time zone, as its column is');
  return answer.time;
}

interface TimeRow {
  readonly time: string;
  readonly agree: boolean;
  readonly plain: boolean;
}

/** Rows that a stage has lost. */
export interface LeftOut {
  readonly rows: number;
  /** Those of them that have no time. */
  readonly untimed: number;
}

/** Takes out of a stage what is not within a range of time. */
export async function leaveOut(
  client: pg.Client,
  stage: Stage,
  { first, last }: StageRange,
  { column, zoned, from, to }: TimeRange,
): Promise<LeftOut> {
  const isStaged = stage.columns.some(({ name }) => name === column);
  // A row that does not say its time would get it by default: that of now, and not its own.
  const time = isStaged
    ? `archived.${quoteIdentifier(column)}::timestamp${zoned ? 'tz' : ''}`
    : 'null::timestamp';
  const type = zoned ? `timestamptz` : 'timestamp';
  const { rows } = await client.query<LeftOut>(
    `with gone as (
       ${deletionFrom(stage)} ${stage.row} between $1 and $2
         and (${time} >= coalesce($3, '-infinity')::${type} and ${time} < coalesce($4, 'infinity')::${type}
           or ${time} = 'infinity' and $4 is null) is not true
       returning ${time} is null as untimed
     )
     select count(*) as rows, count(*) filter (where untimed) as untimed from gone`,
    [first, last, from, to],
  );
  return rows[0] ?? { rows: 0, untimed: 0 };
}

/** The head of a statement that takes rows, called `archived`, out of a stage; conditions follow. */
function deletionFrom({ table, numbers, isSplit }: Stage): string {
  return isSplit
    ? `delete from ${numbers} as number using ${table} as archived where archived.ctid = number.place and`
    : `delete from ${table} as archived where`;
}
