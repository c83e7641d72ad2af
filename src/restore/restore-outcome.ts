import { errorTraits } from '../contract/error-code.ts';
import type { RestoreOutcome, TableError, TableOutcome, Tally } from '../contract/outcome.ts';
import type { RestoreRequest } from '../contract/restore-request.ts';
import { addTallies, emptyTally, isIncomplete } from './tally.ts';

/** How a restore ended, besides its tables. */
export interface RestoreEnd {
  readonly isCancelled: boolean;
  /** Of the restore as a whole. */
  readonly error: TableError | null;
  readonly seconds: number;
}

/** Adds the outcomes of tables up to that of their restore. */
export function sumOutcome(
  { restoreId, database }: RestoreRequest,
  tables: readonly TableOutcome[],
  { isCancelled, error, seconds }: RestoreEnd,
): RestoreOutcome {
  const tally = tables.reduce<Tally>((sum, table) => addTallies(sum, table.tally), emptyTally);
  const failed = tables.filter((table) => table.error !== null).length;
  const state = isCancelled
    ? 'cancelled'
    : error !== null || (failed > 0 && failed === tables.length)
      ? 'failed'
      : failed > 0 || isIncomplete(tally)
        ? 'completed_with_failures'
        : 'completed';
  return { restoreId, state, database, tally, tables, error, seconds };
}

/** What a restore failed by: the error of the restore itself, or of its first table that has one. */
export function firstError({ error, tables }: RestoreOutcome): TableError {
  return (
    error ??
    tables.find((table) => table.error !== null)?.error ?? {
      code: 'InputInvalid',
      message: 'Nothing was restored.',
      hint: errorTraits.InputInvalid.hint,
    }
  );
}
