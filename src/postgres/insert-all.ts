import pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import type { TargetTable } from './catalog.ts';
import { qualifiedName } from './identifier.ts';
import type { MergeCounts } from './merge.ts';
import { columnList, earlierRow, insertInto, liveRow } from './merge-sql.ts';
import { isSqlState, sqlState } from './sqlstate.ts';
import type { Stage } from './stage.ts';
import { type StageRange, stepsOf } from './stage-range.ts';

/**
 * Inserts rows of a stage, all or none. PostgreSQL does not tell which one it refused, so when it did, that
 * is found by halves, whatever index it was that refused; the transaction is to be rolled back then.
 *
 * The savepoints are harmless here: the merge has the turn, so no earlier load waits for its rows.
 *
 * @throws ThawError `ConflictFound` with the line of the first conflict; what else PostgreSQL answers, raw
 */
export async function insertAll(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
  batchSize: number | null,
): Promise<MergeCounts> {
  await checkLateKeysAtOnce(client, target);
  await refuseComparedKey(client, target, stage, range);
  await client.query('savepoint thaw_insert');
  let inserted = 0;
  for (const step of stepsOf(range, batchSize)) {
    const rows = await tryInsert(client, target, stage, step);
    if (typeof rows === 'number') inserted += rows;
    else throw await firstConflict(client, target, stage, range, step, rows);
  }
  await client.query('release savepoint thaw_insert');
  return { inserted, updated: 0, unchanged: 0 };
}

/** Finds the first row that cannot be inserted, in a step of which one cannot; those before are inserted. */
async function firstConflict(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
  step: StageRange,
  refusal: pg.DatabaseError,
): Promise<Error> {
  try {
    return await nameFirst(client, target, stage, range, step);
  } catch (error) {
    // A part may break a foreign key that the whole would not: then the line stays unknown.
    if (error instanceof pg.DatabaseError) return refusal;
    throw error;
  }
}

async function nameFirst(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
  step: StageRange,
): Promise<ThawError> {
  let { first, last } = step;
  while (first < last) {
    const middle = Math.floor((first + last) / 2);
    if (typeof (await tryInsert(client, target, stage, { first, last: middle })) === 'number')
      first = middle + 1;
    else last = middle;
  }
  const behindOthers = await tryInsert(client, target, stage, { first, last });
  await client.query('rollback to savepoint thaw_insert');
  const alone = await tryInsert(client, target, stage, { first, last });
  const refusal = typeof alone === 'number' ? behindOthers : alone;
  if (typeof refusal === 'number') throw new Error('Rows were refused that are accepted one by one');
  return conflict(target, range, first, {
    where: typeof alone === 'number' ? 'archive' : 'table',
    key: await describeKey(client, refusal),
    sqlstate: refusal.code,
  });
}

/** Inserts rows and counts them, or gives the conflict and leaves none. */
async function tryInsert(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  { first, last }: StageRange,
): Promise<number | pg.DatabaseError> {
  await client.query('savepoint thaw_part');
  try {
    const { rowCount } = await client.query(
      `${insertInto(target, stage)}
       select ${columnList(stage)} from ${stage.rows} as archived
       where ${stage.row} between $1 and $2 order by ${stage.row}`,
      [first, last],
    );
    await client.query('release savepoint thaw_part');
    return rowCount ?? 0;
  } catch (error) {
    const isConflict = isSqlState(error, sqlState.uniqueViolation, sqlState.exclusionViolation);
    if (!isConflict || !(error instanceof pg.DatabaseError)) throw error;
    await client.query('rollback to savepoint thaw_part');
    return error;
  }
}

/** Has deferrable keys of a target checked now and from now on; else the commit would be the first to say so, and name nothing. */
export async function checkLateKeysAtOnce(client: pg.Client, target: TargetTable): Promise<void> {
  const late = target.keys.filter((key) => key.deferrable);
  if (late.length === 0) return;
  const names = late.map(({ name }) => qualifiedName(target.schema, name)).join(', ');
  await client.query(`set constraints ${names} immediate`);
}

async function refuseComparedKey(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
): Promise<void> {
  const key = target.comparedKey;
  if (key === null) return;
  const { rows } = await client.query<{ row: number; live: boolean }>(
    `select ${stage.row} as row, exists (${liveRow(target, key)}) as live
     from ${stage.rows} as archived
     where ${stage.row} between $1 and $2
       and (exists (${liveRow(target, key)}) or exists (${earlierRow(stage, key)}))
     order by ${stage.row}
     limit 1`,
    [range.first, range.last],
  );
  const [first] = rows;
  if (first === undefined) return;
  throw conflict(target, range, first.row, {
    where: first.live ? 'table' : 'archive',
    key: `key ${key.columns.join(', ')}`,
    sqlstate: undefined,
  });
}

/** The constraint or index that refused a row, with its columns or expressions. */
async function describeKey(client: pg.Client, refusal: pg.DatabaseError): Promise<string> {
  const { rows } = await client.query<{ columns: string | null }>(
    `select string_agg(pg_get_indexdef(i.indexrelid, place, true), ', ' order by place) as columns
     from pg_index i
     join pg_class c on c.oid = i.indexrelid
     join pg_namespace n on n.oid = c.relnamespace
     cross join generate_series(1, i.indnkeyatts) as place
     where n.nspname = $1 and c.relname = $2`,
    [refusal.schema, refusal.constraint],
  );
  const columns = rows[0]?.columns ?? null;
  return `constraint ${refusal.constraint}${columns === null ? '' : ` on ${columns}`}`;
}

/** What is known of the first conflict. */
interface Conflict {
  /** Where the row is that was there before. */
  readonly where: 'table' | 'archive';
  readonly key: string;
  readonly sqlstate: string | undefined;
}

function conflict(target: TargetTable, range: StageRange, row: number, found: Conflict): ThawError {
  const object = `${target.schema}.${target.table}`;
  const line = range.lineOf?.(row);
  const which = line === undefined ? 'an archived row' : `line ${line}`;
  const other = found.where === 'table' ? 'a row that is there already' : 'an earlier line of the archive';
  const details = [found.key, ...(found.sqlstate === undefined ? [] : [`SQLSTATE ${found.sqlstate}`])];
  const look = line === undefined ? '' : `Look at the line with \`thaw show -n ${line}\` and the archive. `;
  return new ThawError(
    'ConflictFound',
    `${object}: ${which} conflicts with ${other} (${details.join(', ')})`,
    {
      object,
      stage: 'merge',
      line,
      sqlstate: found.sqlstate,
      hint: `${look}Use --conflict-strategy skip to keep the rows that are there, or overwrite to replace them.`,
    },
  );
}
