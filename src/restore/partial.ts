import type { RestoreOptions } from '../contract/restore-request.ts';

/**
 * Tells whether a restore takes only a part of each archive, some rows or some columns, or is a rehearsal: what it
 * restored must not pass for restored when a later one asks for all.
 */
export function isPartial({ rowsFrom, rowsTo, columns, rehearsal }: RestoreOptions): boolean {
  return rehearsal === true || rowsFrom !== null || rowsTo !== null || columns !== null;
}
