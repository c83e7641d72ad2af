import type pg from 'pg';
import type { TargetColumn, TargetTable } from './catalog.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { analyzeStage, createStage, type Stage } from './stage.ts';

/** By what a staged row finds the row of the table that it became. */
export interface ComparedKey {
  readonly columns: readonly string[];
  /** Two NULLs are the same key. */
  readonly nullsNotDistinct: boolean;
}

/** How archived rows are compared with a table. */
export interface Comparison {
  readonly client: pg.Client;
  readonly target: TargetTable;
  /** Null: rows are compared as a whole, and counted. */
  readonly key: ComparedKey | null;
  /** Of several archived rows with one key, which one the table has to have. */
  readonly deciding: 'first' | 'last';
}

/** Consecutive rows and the lines of an archive that they come from. */
export interface LineRun {
  readonly firstRow: number;
  readonly line: number;
  readonly archive: string;
  readonly ordinal: number;
}

/** Archived rows by what the table has of them. */
export interface ComparedRows {
  readonly rows: number;
  readonly equal: number;
  /** Other than the table has them, and rightly so: another archived row of the same key counts. */
  readonly superseded: number;
}

/** An archived row that the table has otherwise, or not at all. */
export interface Difference {
  readonly archive: string;
  /** 1-based. */
  readonly line: number;
  readonly kind: 'differing' | 'missing';
}

/** Rows that the table does not have as archived. */
export interface Differences {
  readonly differing: number;
  readonly missing: number;
}

/** First and last value of a column as PostgreSQL's text; null where there is none. */
export interface Span {
  readonly min: string | null;
  readonly max: string | null;
}

/**
 * Makes what a comparison keeps in its transaction: numbers for the rows, the lines that they come from, the
 * keys that are off, digests of rows without a key, and times. Everything that grows with the archives lies
 * in temporary tables, which end with the transaction.
 *
 * @param timeColumn column whose first and last value are told; null: none
 */
export async function beginComparison(
  { client, target, key }: Comparison,
  timeColumn: string | null,
): Promise<void> {
  const typeOf = (name: string) => target.columns.find((column) => column.name === name)?.typeName ?? 'text';
  const keys = (key?.columns ?? []).map((name, place) => `k${place} ${typeOf(name)}`);
  await client.query(`
    create temp sequence thaw_row;
    create temp table thaw_run (first_row bigint primary key, line bigint, archive text, ordinal bigint)
      on commit drop;
    create temp table thaw_off (${[...keys, 'row bigint', 'missing boolean'].join(', ')}) on commit drop;
    create temp table thaw_copy (digest uuid, shape text, row bigint) on commit drop;
    create temp table thaw_time (at ${timeColumn === null ? 'text' : typeOf(timeColumn)}) on commit drop`);
  if (key !== null) await client.query(`create index on thaw_off (${keyList(key, 'k')})`);
}

/** Makes a stage whose rows are numbered on where those before ended. */
export async function createComparedStage(
  { client }: Comparison,
  columns: readonly TargetColumn[],
  place: number,
): Promise<Stage> {
  return createStage(client, columns, place, `default nextval('pg_temp.thaw_row')`);
}

/** The number that the next staged row gets. */
export async function nextRow({ client }: Comparison): Promise<number> {
  const { rows } = await client.query<{ row: number }>(`select nextval('pg_temp.thaw_row') as row`);
  return (rows[0]?.row ?? 0) + 1;
}

/** Writes down which lines rows come from. */
export async function noteLines({ client }: Comparison, runs: readonly LineRun[]): Promise<void> {
  await client.query(
    `insert into thaw_run (first_row, line, archive, ordinal)
     select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[])`,
    [
      runs.map(({ firstRow }) => firstRow),
      runs.map(({ line }) => line),
      runs.map(({ archive }) => archive),
      runs.map(({ ordinal }) => ordinal),
    ],
  );
}

/**
 * Compares the rows of a stage with the table, to the last bit. Stages have to come in the order in which a
 * later one decides over those before: that of the archives where the last row of a key counts, the reverse
 * where the first one does.
 */
export async function compareStage(
  comparison: Comparison,
  stage: Stage,
  timeColumn: string | null,
): Promise<ComparedRows> {
  const { client, key } = comparison;
  await analyzeStage(client, stage);
  const staged = new Set(stage.columns.map(({ name }) => name));
  if (timeColumn !== null && staged.has(timeColumn)) {
    const at = quoteIdentifier(timeColumn);
    await client.query(
      `insert into thaw_time select unnest(array[min(${at}), max(${at})]) from ${stage.rows} as archived`,
    );
  }
  const isKeyed = key?.columns.every((name) => staged.has(name)) ?? false;
  const keyed = key !== null && isKeyed ? await compareByKey(comparison, key, stage) : noRows;
  const keyless =
    key === null || !isKeyed ? 'true' : key.nullsNotDistinct ? null : `not (${notNull(key, 'archived')})`;
  const { rowCount } =
    keyless === null
      ? { rowCount: 0 }
      : await client.query(
          `insert into thaw_copy select ${digest(stage.columns, 'archived')}, $1, archived.${stage.row}
           from ${stage.rows} as archived where ${keyless}`,
          [JSON.stringify(stage.columns.map(({ name }) => name))],
        );
  // As many as the table has of them are equal; which are not shows at the end.
  return { ...keyed, rows: keyed.rows + (rowCount ?? 0) };
}

/** Counts what is off, once all stages were compared, and the rows without a key that the table has. */
export async function endComparison(comparison: Comparison): Promise<Differences & { keyless: number }> {
  const { client } = comparison;
  const { rows: shapes } = await client.query<{ shape: string }>('select distinct shape from thaw_copy');
  for (const { shape } of shapes) await compareCopies(comparison, shape);
  const { rows } = await client.query<Differences & { keyless: number }>(
    `select count(*) filter (where missing) as missing, count(*) filter (where not missing) as differing,
       (select count(*) from thaw_copy) - count(*) filter (where row in (select row from thaw_copy)) as keyless
     from thaw_off`,
  );
  return rows[0] ?? { missing: 0, differing: 0, keyless: 0 };
}

/** The first rows that are off, in archive order. */
export async function firstDifferences({ client }: Comparison, limit: number): Promise<Difference[]> {
  const { rows } = await client.query<Difference>(
    `select run.archive, run.line + off.row - run.first_row as line,
       case when off.missing then 'missing' else 'differing' end as kind
     from thaw_off as off
     cross join lateral (
       select * from thaw_run where first_row <= off.row order by first_row desc limit 1
     ) as run
     order by run.ordinal, off.row
     limit $1`,
    [limit],
  );
  return rows;
}

/** First and last time of the archived rows and of the table. */
export async function timeSpans(
  { client, target }: Comparison,
  timeColumn: string,
): Promise<{ readonly archives: Span; readonly table: Span }> {
  const span = async (column: string, table: string): Promise<Span> => {
    const { rows } = await client.query<Span>(
      `select min(${column})::text as min, max(${column})::text as max from ${table}`,
    );
    return rows[0] ?? { min: null, max: null };
  };
  return {
    archives: await span('at', 'thaw_time'),
    table: await span(quoteIdentifier(timeColumn), qualifiedName(target.schema, target.table)),
  };
}

const noRows: ComparedRows = { rows: 0, equal: 0, superseded: 0 };

async function compareByKey(
  { client, target, deciding }: Comparison,
  key: ComparedKey,
  stage: Stage,
): Promise<ComparedRows> {
  const row = stage.row;
  const columns = stage.columns.map(({ name }) => quoteIdentifier(name));
  const image = (table: string) => `row(${columns.map((name) => `${table}.${name}`).join(', ')})::record`;
  const keys = key.columns.map((name, place) => `archived.${quoteIdentifier(name)} as k${place}`);
  const order = deciding === 'first' ? '' : 'desc';
  const same = matches(key, (_, place) => [`off.k${place}`, `judged.k${place}`]);
  const { rows } = await client.query<ComparedRows>(
    `with met as materialized (
       -- a key that is no index of the table may be there more than once
       select distinct on (archived.${row}) archived.${row} as row, ${keys.join(', ')},
         live.there is null as missing, coalesce(not (${image('live')} *<> ${image('archived')}), false) as equal
       from ${stage.rows} as archived
       left join (select true as there, ${columns.join(', ')} from ${qualifiedName(target.schema, target.table)}) as live
         on ${matches(key, (name) => [`live.${name}`, `archived.${name}`])}
       where ${key.nullsNotDistinct ? 'true' : notNull(key, 'archived')}
       order by archived.${row}, equal desc
     ), judged as materialized (
       select *, not missing and equal as fine,
         row_number() over (partition by ${keyList(key, 'k')} order by row ${order}) = 1 as decides
       from met
     ), gone as (
       delete from thaw_off as off using judged where judged.decides and ${same} returning off.row
     ), added as (
       insert into thaw_off select ${keyList(key, 'k')}, row, missing from judged where decides and not fine
     )
     select count(*) as rows, count(*) filter (where fine) as equal,
       count(*) filter (where not fine and not decides) + (select count(*) from gone) as superseded
     from judged`,
  );
  return rows[0] ?? noRows;
}

/** Of rows without a key, those that the table has less often than they were archived are missing. */
async function compareCopies({ client, target, key }: Comparison, shape: string): Promise<void> {
  const names = JSON.parse(shape) as string[];
  const columns = target.columns.filter(({ name }) => names.includes(name));
  const ordered = names.flatMap((name) => columns.find((column) => column.name === name) ?? []);
  const isKeyed = key?.columns.every((name) => names.includes(name)) ?? false;
  const rest = key !== null && isKeyed ? `where not (${notNull(key, 'live')})` : '';
  await client.query(
    `with there as (
       select ${digest(ordered, 'live')} as digest, count(*) as copies
       from ${qualifiedName(target.schema, target.table)} as live ${rest}
       group by 1
     ), ranked as (
       select digest, row, row_number() over (partition by digest order by row) as place
       from thaw_copy where shape = $1
     )
     insert into thaw_off (row, missing)
     select row, true from ranked left join there using (digest) where place > coalesce(copies, 0)`,
    [shape],
  );
}

/** Of all values as text, which tells 1.0 from 1.00 and a month from 30 days, and which json has, too. */
function digest(columns: readonly TargetColumn[], table: string): string {
  const values = columns.map(({ name }) => `${table}.${quoteIdentifier(name)}`);
  return `md5(row(${values.join(', ')})::text)::uuid`;
}

function notNull(key: ComparedKey, table: string): string {
  return key.columns.map((name) => `${table}.${quoteIdentifier(name)} is not null`).join(' and ');
}

function keyList({ columns }: ComparedKey, prefix: string): string {
  return columns.map((_, place) => `${prefix}${place}`).join(', ');
}

function matches(
  key: ComparedKey,
  sides: (name: string, place: number) => readonly [string, string],
): string {
  const isSame = key.nullsNotDistinct ? 'is not distinct from' : '=';
  return key.columns
    .map((name, place) => sides(quoteIdentifier(name), place).join(` ${isSame} `))
    .join(' and ');
}
