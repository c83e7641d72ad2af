import { ThawError } from '../contract/thaw-error.ts';
import type { TargetColumn } from '../postgres/catalog.ts';

/** Columns by their places. @throws ThawError `SchemaIncompatible` for none */
export function pick(columns: readonly TargetColumn[], indexes: readonly number[]): TargetColumn[] {
  if (indexes.length === 0) {
    throw new ThawError('SchemaIncompatible', 'A record has no column of the table.', { stage: 'slice' });
  }
  return indexes.map((index, place) => {
    const column = columns[index];
    if (column === undefined) throw new RangeError(`The table has no column ${index}`);
    if (indexes.indexOf(index) !== place) {
      throw new ThawError('SchemaIncompatible', `Two keys of a record go into column ${column.name}.`, {
        stage: 'slice',
        hint: 'Leave one of them out with --columns, or map it to another column with --map-column old=new.',
      });
    }
    return column;
  });
}
