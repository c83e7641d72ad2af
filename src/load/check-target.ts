import { Slicer } from '../archive/slicer.ts';
import type { RestoreOptions } from '../contract/restore-request.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import { undoKeyOf } from '../postgres/kept-images.ts';
import { checkTargetNames } from '../restore/schema-names.ts';
import { checkOverwritten, writtenColumns } from './written-columns.ts';

/** Refuses a target where every archive would fail. @throws ThawError `SchemaIncompatible` or `InputInvalid` */
export function checkTarget(target: TargetTable, options: RestoreOptions): void {
  checkOverwritten(target, options);
  if (options.undoable) undoKeyOf(target);
  const names = target.columns.filter(({ generated }) => generated === null).map(({ name }) => name);
  checkTargetNames(`${target.schema}.${target.table}`, names, options);
  // Names a column whose type cannot be encoded.
  new Slicer(
    writtenColumns(target).map(({ name, type }) => ({ name, key: name, type })),
    {},
  );
}
