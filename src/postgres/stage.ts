import type pg from 'pg';
import type { TargetColumn } from './catalog.ts';
import { Copy } from './copy.ts';
import { quoteIdentifier } from './identifier.ts';

/**
 * A temporary table with some of the target's columns and the order in which rows came. It holds rows
 * that all have these columns, so that the others keep their defaults when it is merged.
 */
export interface Stage {
  /** Quoted name of what COPY fills. */
  readonly table: string;
  readonly columns: readonly TargetColumn[];
  /** What to read its rows from, number included; takes an alias. */
  readonly rows: string;
  /** Quoted name of the table that has the numbers: a row whose number is deleted is no row of the stage. */
  readonly numbers: string;
  /** Quoted name of the column that numbers the rows, from 1 in the order of the COPY. */
  readonly row: string;
  /** The same, not quoted. */
  readonly rowName: string;
  /** There is no room for the numbers beside the columns; they are in a table of their own. */
  readonly isSplit: boolean;
}

/** PostgreSQL's limit for a table. */
const maxColumns = 1_600;

/**
 * Makes a stage in the loading transaction; it ends with it. Types are spelled out rather than taken from
 * the target by a query, since a user who may only insert cannot read it.
 *
 * @param place tells the stages of a transaction apart
 * @param numbering how the column that numbers the rows gets its values; null: there is none
 */
export async function createStage(
  client: pg.Client,
  columns: readonly TargetColumn[],
  place: number,
  numbering: string | null = 'generated always as identity (cache 1000)',
): Promise<Stage> {
  const rowName = freeName(columns, 'thaw_row');
  const row = quoteIdentifier(rowName);
  const table = `pg_temp.thaw_stage_${place}`;
  const isSplit = numbering !== null && columns.length >= maxColumns;
  const list = columns.map((column) => `${quoteIdentifier(column.name)} ${column.typeName}`);
  const number = `${row} bigint ${numbering}`;
  if (numbering !== null && !isSplit) list.push(number);
  await client.query(`create temp table thaw_stage_${place} (${list.join(', ')}) on commit drop`);
  if (!isSplit) return { table, columns, rows: table, numbers: table, row, rowName, isSplit };
  const numbers = `pg_temp.thaw_stage_${place}_numbers`;
  await client.query(
    `create temp table thaw_stage_${place}_numbers (place tid primary key, ${number}) on commit drop`,
  );
  const rows = `(select staged.*, number.${row} from ${table} as staged join ${numbers} as number on number.place = staged.ctid)`;
  return { table, columns, rows, numbers, row, rowName, isSplit };
}

/** A COPY into a stage, which numbers its rows. */
export class StageCopy extends Copy {
  readonly #client: pg.Client;
  readonly #stage: Stage;
  readonly #rows: readonly number[] | null;

  /**
   * @param rows numbers for the rows, where they are not to be counted: of a stage that is not split they are
   * sent as the first field of each row
   */
  constructor(client: pg.Client, stage: Stage, rows: readonly number[] | null = null) {
    const names = stage.columns.map(({ name }) => name);
    super(client, stage.table, rows === null || stage.isSplit ? names : [stage.rowName, ...names]);
    this.#client = client;
    this.#stage = stage;
    this.#rows = rows;
  }

  override async finish(): Promise<number> {
    const taken = await super.finish();
    if (this.#stage.isSplit) await numberRows(this.#client, this.#stage, this.#rows);
    return taken;
  }
}

/**
 * Numbers the rows of a split stage that have no number yet. Their places say in which order they came: a COPY
 * into a table of the same transaction passes over the free space map (`TABLE_INSERT_SKIP_FSM`), so it fills
 * the last page and then new ones; within a page, places are given in order as long as none becomes free, and
 * nothing is ever updated or deleted in such a stage. Places left by a savepoint that was rolled back are not
 * used again either, since nothing vacuums the table of a transaction that is still going on.
 */
async function numberRows(client: pg.Client, stage: Stage, rows: readonly number[] | null): Promise<void> {
  const { table, numbers, row } = stage;
  const fresh = `from ${table} where ctid > (select coalesce(max(place), '(0,0)') from ${numbers})`;
  if (rows === null) {
    await client.query(`insert into ${numbers} (place) select ctid ${fresh} order by ctid`);
    return;
  }
  await client.query(
    `insert into ${numbers} (place, ${row}) overriding system value
     select fresh.place, given.number
     from (select ctid as place, row_number() over (order by ctid) as nth ${fresh}) as fresh
     join unnest($1::bigint[]) with ordinality as given (number, nth) using (nth)`,
    [rows],
  );
}

/** Lets merges of single archives find their rows. Worth it from the second archive of a stage on. */
export async function indexStage(client: pg.Client, stage: Stage): Promise<void> {
  await client.query(`create index on ${stage.numbers} (${stage.row})`);
}

/** Lets the planner know how many rows there are, and of what values. */
export async function analyzeStage(client: pg.Client, stage: Stage): Promise<void> {
  await client.query(`analyze ${tablesOf(stage)}`);
}

/** Ends a stage before its transaction ends. */
export async function dropStage(client: pg.Client, stage: Stage): Promise<void> {
  await client.query(`drop table ${tablesOf(stage)}`);
}

function tablesOf({ table, numbers, isSplit }: Stage): string {
  return isSplit ? `${table}, ${numbers}` : table;
}

/** A name that none of the columns has: `wanted`, or the like. */
export function freeName(columns: readonly TargetColumn[], wanted: string): string {
  let name = wanted;
  while (columns.some((column) => column.name === name)) name += '_';
  return name;
}
