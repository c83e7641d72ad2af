import type { TableScope } from '../contract/activities.ts';
import type { RestoreOptions } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { findDatabase } from './database-config.ts';
import type { ThawConfig } from './thaw-config.ts';

/** Rows by their own time, as somebody asks for them. */
export interface AskedRange {
  /** Column of the target. */
  readonly column: string;
  /** Inclusive, as PostgreSQL reads it; null: no limit. */
  readonly from: string | null;
  /** Exclusive; a day alone, `YYYY-MM-DD`, is included. */
  readonly to: string | null;
}

/**
 * The rows that a restore takes of a table by their own time; null: all.
 *
 * @throws ThawError `InputInvalid` where the configuration does not say which column has that time, or it is
 * not restored
 */
export function rowRangeOf(
  config: ThawConfig,
  { database, table }: Pick<TableScope, 'database' | 'table'>,
  { rowsFrom, rowsTo, columns, renamedColumns }: RestoreOptions,
): AskedRange | null {
  if (rowsFrom === null && rowsTo === null) return null;
  const configured = findDatabase(config, database).tables.find(
    ({ name, schema }) => name === table.table && schema === table.schema,
  );
  const column = configured?.timestampColumn ?? null;
  const object = `${table.schema}.${table.table}`;
  if (column === null) {
    throw new ThawError(
      'InputInvalid',
      `${object}: nothing says which column has the time of its rows, which --rows-from and --rows-to go by.`,
      { object, hint: `Set timestamp_column of the table in the configuration of ${database}.` },
    );
  }
  if (columns !== null && !columns.includes(column)) {
    throw new ThawError(
      'InputInvalid',
      `${object}: --rows-from and --rows-to go by column ${column}, which --columns leaves out.`,
      { object, hint: `Add ${column} to --columns.` },
    );
  }
  return { column: renamedColumns[column] ?? column, from: rowsFrom, to: rowsTo };
}
