import type pg from 'pg';
import type { DifferenceKind, RowText, SnapshotDifference } from '../contract/snapshot-difference.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { rowsOf } from './merge-sql.ts';
import type { Differences } from './snapshot-differences.ts';

/** Rows that a cursor gives at a time. */
const fetched = 500;

/** The first differences of each kind, in the order in which their rows lie. */
export async function sampleDifferences(
  client: pg.Client,
  differences: Differences,
  limit: number,
): Promise<SnapshotDifference[]> {
  const { rows } = await client.query<DescribedRow>(
    `${describedQuery(
      differences,
      `(select ctid, *, row_number() over (partition by kind order by coalesce(staged, live)) as nth
        from ${differences.table})`,
    )}
     where change.nth <= $1 order by kind, change.nth`,
    [limit],
  );
  return rows.map((row) => difference(differences, row));
}

/** All differences of a table with their rows, by kind and key, some hundreds at a time. */
export async function* readDifferences(
  client: pg.Client,
  differences: Differences,
): AsyncGenerator<readonly SnapshotDifference[]> {
  await client.query(
    `declare thaw_differences no scroll cursor for
     ${describedQuery(differences, differences.table)} order by kind, key, before, after`,
  );
  for (;;) {
    const { rows } = await client.query<DescribedRow>(`fetch ${fetched} from thaw_differences`);
    if (rows.length === 0) break;
    yield rows.map((row) => difference(differences, row));
  }
  await client.query('close thaw_differences');
}

/** Makes a table for differences that were chosen, which ends with the transaction. Gives its quoted name. */
export async function createChosen(client: pg.Client, place: number): Promise<string> {
  await client.query(
    `create temp table thaw_chosen_${place} (kind text, key text[], before text[], after text[]) on commit drop`,
  );
  return `pg_temp.thaw_chosen_${place}`;
}

/** Writes chosen differences down. */
export async function noteChosen(
  client: pg.Client,
  chosen: string,
  { staged: { columns }, key }: Differences,
  differences: readonly SnapshotDifference[],
): Promise<void> {
  const names = columns.map(({ name }) => name);
  const texts = (row: RowText | null, of: readonly string[]) => row && of.map((name) => row[name] ?? null);
  await client.query(
    `insert into ${chosen} select kind, key, before, after
     from json_to_recordset($1::json) as chosen (kind text, key text[], before text[], after text[])`,
    [
      JSON.stringify(
        differences.map(({ kind, key: of, before, after }) => ({
          kind,
          key: key && texts(of, key),
          before: texts(before, names),
          after: texts(after, names),
        })),
      ),
    ],
  );
}

/**
 * Leaves of the differences those that were chosen, each exactly as it was then. Of equal rows of a table without a
 * key, as many are left as were chosen.
 *
 * @returns how many of those chosen are no difference any more, or another one
 */
export async function keepChosen(
  client: pg.Client,
  chosen: string,
  differences: Differences,
): Promise<number> {
  // By a digest, since arrays with NULL in them find each other by no index and no hash.
  const digest = 'md5(row(kind, key, before, after)::text)';
  const copy = `row_number() over (partition by ${digest})`;
  const { rows } = await client.query<{ count: number }>(
    `with found as materialized (
       select place, ${digest} as digest, ${copy} as copy
       from (${describedQuery(differences, differences.table)}) as described
     ), wanted as materialized (
       select distinct ${digest} as digest, ${differences.key === null ? copy : '1'} as copy from ${chosen}
     ), other as (
       delete from ${differences.table} as change using found
       where change.ctid = found.place
         and not exists (select from wanted where wanted.digest = found.digest and wanted.copy = found.copy)
     )
     select count(*) as count from wanted
     where not exists (select from found where found.digest = wanted.digest and found.copy = wanted.copy)`,
  );
  return rows[0]?.count ?? 0;
}

/** A difference with its rows as text, in the order of the key and of the staged columns. */
interface DescribedRow {
  readonly kind: DifferenceKind;
  readonly key: readonly string[] | null;
  readonly before: readonly (string | null)[] | null;
  readonly after: readonly (string | null)[] | null;
}

/** @param source differences to describe, as SQL, there called `change` */
function describedQuery({ staged: { target, stage, columns }, key }: Differences, source: string): string {
  const texts = (table: string) =>
    `array[${columns.map(({ name }) => text(table, name)).join(', ')}]::text[]`;
  const keys = (key ?? []).map((name) => `coalesce(${text('live', name)}, ${text('staged', name)})`);
  return `
    select change.ctid as place, change.kind, ${key === null ? 'null::text[]' : `array[${keys.join(', ')}]`} as key,
      case when change.live is not null then ${texts('live')} end as before,
      case when change.staged is not null then ${texts('staged')} end as after
    from ${source} as change
    left join ${rowsOf(target)} as live on live.tableoid = change.part and live.ctid = change.live
    left join ${qualifiedName(stage.schema, stage.table)} as staged on staged.ctid = change.staged`;
}

/** The text by which PostgreSQL gives a value out; a cast may give another one, as of `boolean` or `char(3)`. */
function text(table: string, column: string): string {
  const value = `${table}.${quoteIdentifier(column)}`;
  // A composite value with a NULL in it is neither null nor not null.
  return `case when num_nulls(${value}) = 0 then format('%s', ${value}) end`;
}

function difference(
  { staged: { target, columns }, key }: Differences,
  row: DescribedRow,
): SnapshotDifference {
  const names = columns.map(({ name }) => name);
  const byName = (of: readonly string[], values: readonly (string | null)[] | null): RowText | null =>
    values && Object.fromEntries(of.map((name, place) => [name, values[place] ?? null]));
  return {
    schema: target.schema,
    table: target.table,
    kind: row.kind,
    key: key && byName(key, row.key),
    before: byName(names, row.before),
    after: byName(names, row.after),
  };
}
