import { ThawError } from '../../contract/thaw-error.ts';
import { sqlState } from '../../postgres/sqlstate.ts';
import type { UniqueClash } from '../../postgres/unique-clashes.ts';
import { tellRows } from '../order/held-keys.ts';
import { tableName } from './staged-check.ts';

/** Rows that are not alone with their values of a unique index, by their keys, for people. */
export function tellClash({ target, index, ...told }: UniqueClash): string {
  return `${tableName(target)}: rows with ${tellRows(told)} have values in the unique index ${index} that other rows have as well`;
}

/** Why a table cannot be merged into. @param clashes one at least */
export function clashError(clashes: readonly UniqueClash[], object: string): ThawError {
  return new ThawError('ConflictFound', `${clashes.map(tellClash).join('; ')}.`, {
    object,
    stage: 'merge',
    sqlstate: sqlState.uniqueViolation,
    hint: 'Nothing was changed. Restore the rows that have these values too, as with the whole table, or change them first.',
  });
}
