import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import type { TargetColumn } from './catalog.ts';
import { quoteIdentifier } from './identifier.ts';

/**
 * A temporary table with some of the target's columns and the order in which rows came. It holds rows
 * that all have these columns, so that the others keep their defaults when it is merged.
 */
export interface Stage {
  /** Quoted name. */
  readonly table: string;
  readonly columns: readonly TargetColumn[];
  /** Quoted name of the column that numbers the rows, from 1 in the order of the COPY. */
  readonly row: string;
  /** The same, not quoted. */
  readonly rowName: string;
}

/** PostgreSQL's limit for a table. */
const maxColumns = 1_600;

/**
 * Makes a stage in the loading transaction; it ends with it. Types are spelled out rather than taken from
 * the target by a query, since a user who may only insert cannot read it.
 *
 * @param place tells the stages of a transaction apart
 * @param numbering how the column that numbers the rows gets its values; null: there is none
 * @throws ThawError `SchemaIncompatible` where the column that numbers the rows would be one too many
 */
export async function createStage(
  client: pg.Client,
  columns: readonly TargetColumn[],
  place: number,
  numbering: string | null = 'generated always as identity (cache 1000)',
): Promise<Stage> {
  if (numbering !== null && columns.length >= maxColumns) throw tooWide(columns.length);
  const rowName = freeName(columns, 'thaw_row');
  const stage = {
    table: `pg_temp.thaw_stage_${place}`,
    columns,
    row: quoteIdentifier(rowName),
    rowName,
  };
  const list = [
    ...columns.map((column) => `${quoteIdentifier(column.name)} ${column.typeName}`),
    ...(numbering === null ? [] : [`${stage.row} bigint ${numbering}`]),
  ];
  await client.query(`create temp table thaw_stage_${place} (${list.join(', ')}) on commit drop`);
  return stage;
}

function tooWide(columns: number): ThawError {
  return new ThawError(
    'SchemaIncompatible',
    `${columns} columns are as many as a table of PostgreSQL has, so their rows cannot be staged, which conflicts need.`,
    {
      stage: 'merge',
      hint: 'Restore into a table that no row is in yet (--into-table), or leave a column out (--columns).',
    },
  );
}

/** Lets merges of single archives find their rows. Worth it from the second archive of a stage on. */
export async function indexStage(client: pg.Client, stage: Stage): Promise<void> {
  await client.query(`create index on ${stage.table} (${stage.row})`);
}

/** Ends a stage before its transaction ends. */
export async function dropStage(client: pg.Client, stage: Stage): Promise<void> {
  await client.query(`drop table ${stage.table}`);
}

/** A name that none of the columns has: `wanted`, or the like. */
export function freeName(columns: readonly TargetColumn[], wanted: string): string {
  let name = wanted;
  while (columns.some((column) => column.name === name)) name += '_';
  return name;
}
