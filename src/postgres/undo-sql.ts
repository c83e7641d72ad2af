import type { TargetColumn, TargetTable } from './catalog.ts';
import { quoteIdentifier } from './identifier.ts';
import { digestOf, imageColumns, imageOf } from './kept-images.ts';
import { rowsOf } from './merge-sql.ts';

/** Parts of statements about rows of `thaw.undo_rows`, there called `page`, and those of their table, called `live`. */
export interface UndoSql {
  /** Of the images. */
  readonly columns: readonly TargetColumn[];
  /** What to read rows of the table from. */
  readonly live: string;
  /** The row that the kept one is about. */
  readonly found: string;
  /** It is as the restore left it. */
  readonly untouched: string;
  /** It is as it was before. */
  readonly exact: string;
  /** Its key as it is kept. */
  readonly key: string;
  /** Quoted, with commas. */
  readonly names: string;
  /** All that it had before, with commas. */
  readonly values: string;
  /** What an update sets; empty where there is nothing but the key. */
  readonly changes: string;
  /** What it had in a column. */
  before(name: string): string;
  /** It has the same in some columns as before. */
  same(names: readonly string[]): string;
}

/** @param key columns by which rows are found again */
export function undoSql(target: TargetTable, key: readonly string[]): UndoSql {
  const columns = imageColumns(target);
  const typeOf = new Map(columns.map(({ name, typeName }) => [name, typeName]));
  const place = new Map(columns.map(({ name }, index) => [name, index + 1]));
  const before = (name: string) => `page.before[${place.get(name)}]::${typeOf.get(name)}`;
  const changed = columns.filter(({ name, identity }) => !key.includes(name) && identity !== 'always');
  const image = imageOf(columns, 'live');
  return {
    columns,
    live: rowsOf(target),
    found: key
      .map((name, index) => `live.${quoteIdentifier(name)} = page.key[${index + 1}]::${typeOf.get(name)}`)
      .join(' and '),
    untouched: `${digestOf(image)} = page.after`,
    exact: `${image} = page.before`,
    key: imageOf(
      key.map((name) => ({ name })),
      'live',
    ),
    names: columns.map(({ name }) => quoteIdentifier(name)).join(', '),
    values: columns.map(({ name }) => before(name)).join(', '),
    changes: changed.map(({ name }) => `${quoteIdentifier(name)} = ${before(name)}`).join(', '),
    before,
    same: (names) =>
      names.map((name) => `live.${quoteIdentifier(name)} is not distinct from ${before(name)}`).join(' and '),
  };
}
