import type pg from 'pg';
import type { TargetColumn, TargetTable } from './catalog.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { isPlain } from './keys.ts';

/** The schema that holds the stage of a restore. */
export function stageSchema(restoreId: string): string {
  return `thaw_stage_${restoreId}`;
}

/**
 * What the sessions begin their names with that work on the rows of a restore of a snapshot: there is one attempt at
 * one of its activities at a time, and whatever is left of others is ended.
 */
export function snapshotSessions({ restoreId }: { readonly restoreId: string }): string {
  return `thaw/${restoreId}/snapshot/`;
}

/** The table within that schema: by number, since tables of several schemas may have one name. */
export function stageName({ oid }: Pick<TargetTable, 'oid'>): string {
  return `rows_${oid}`;
}

/** The columns of a target that a stage has: all but those that PostgreSQL computes. */
export function stageColumns({ columns }: Pick<TargetTable, 'columns'>): TargetColumn[] {
  return columns.filter(({ generated }) => generated === null);
}

/**
 * Makes an empty stage for each table, in place of what an earlier attempt of the restore has left. Unlogged, since a
 * crash ends the restore's attempt anyway; without the NOT NULL of the table, which may have columns that a snapshot
 * has not.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function makeSnapshotStage(
  client: pg.Client,
  schema: string,
  targets: readonly TargetTable[],
): Promise<void> {
  await dropSnapshotStage(client, schema);
  const tables = targets.map((target) => {
    const columns = stageColumns(target).map(({ name }) => quoteIdentifier(name));
    // Types and collations come along: of two collations PostgreSQL would not know which one compares.
    return `create unlogged table ${qualifiedName(schema, stageName(target))} as
      select ${columns.join(', ')} from ${qualifiedName(target.schema, target.table)} with no data`;
  });
  await client.query([`create schema ${quoteIdentifier(schema)}`, ...tables].join(';\n'));
}

/** Lets the planner of the merge know what was staged. @throws what PostgreSQL answers, raw */
export async function analyzeSnapshotStage(
  client: pg.Client,
  schema: string,
  targets: readonly TargetTable[],
): Promise<void> {
  for (const target of targets) {
    // Rows are found by their key, where they have one.
    const names = new Set(stageColumns(target).map(({ name }) => name));
    const key = target.keys.filter(isPlain).find(({ columns }) => columns.every((name) => names.has(name)));
    const columns = key === undefined ? '' : `(${key.columns.map(quoteIdentifier).join(', ')})`;
    await client.query(`analyze ${qualifiedName(schema, stageName(target))} ${columns}`);
  }
}

/** How many rows a stage has. @throws what PostgreSQL answers, raw */
export async function countStaged(
  client: pg.Client,
  schema: string,
  target: Pick<TargetTable, 'oid'>,
): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `select count(*) as count from ${qualifiedName(schema, stageName(target))}`,
  );
  return rows[0]?.count ?? 0;
}

/** Removes the stage of a restore, if there is one. @throws what PostgreSQL answers, raw */
export async function dropSnapshotStage(client: pg.Client, schema: string): Promise<void> {
  await client.query(`drop schema if exists ${quoteIdentifier(schema)} cascade`);
}
