import type { TargetTable } from './catalog.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import type { RowKey } from './keys.ts';
import type { Stage } from './stage.ts';

/** The head of a statement that inserts the columns of a stage into the target, there called `live`. */
export function insertInto(target: TargetTable, stage: Stage): string {
  return `insert into ${qualifiedName(target.schema, target.table)} as live (${columnList(stage)}) overriding system value`;
}

/** Where the rows of the target are read and updated: as with its indexes, those of inheriting tables are not among them. */
export function rowsOf(target: TargetTable): string {
  return `${target.kind === 'table' ? 'only ' : ''}${qualifiedName(target.schema, target.table)}`;
}

/** Query for the row of the target with the key of the row `archived`. */
export function liveRow(target: TargetTable, key: RowKey): string {
  return `select from ${rowsOf(target)} as live where ${sameKey(key, 'live', 'archived')}`;
}

/** Query for a row of the stage, from number `$1` on, that comes before the row `archived` and has its key. */
export function earlierRow(stage: Stage, key: RowKey): string {
  return `
    select from ${stage.rows} as earlier
    where earlier.${stage.row} between $1 and archived.${stage.row} - 1 and ${sameKey(key, 'earlier', 'archived')}`;
}

/** The condition that two rows have the same key. */
export function sameKey(key: RowKey, one: string, other: string): string {
  const isSame = key.nullsNotDistinct ? 'is not distinct from' : '=';
  return key.columns
    .map(quoteIdentifier)
    .map((name) => `${one}.${name} ${isSame} ${other}.${name}`)
    .join(' and ');
}

/** Quoted, with commas. */
export function columnList(stage: Stage): string {
  return stage.columns.map(({ name }) => quoteIdentifier(name)).join(', ');
}
