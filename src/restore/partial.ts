import type { RestoreOptions } from '../contract/restore-request.ts';

/**
 * Tells whether a restore takes only a part of each archive, some rows or some columns: what it restored
 * must not pass for restored when a later one asks for all.
 */
export function isPartial({ rowsFrom, rowsTo, columns }: RestoreOptions): boolean {
  return rowsFrom !== null || rowsTo !== null || columns !== null;
}
