import type { ErrorCode } from '../../src/contract/error-code.ts';
import type {
  ArchiveFailure,
  RestoreOutcome,
  TableError,
  TableOutcome,
  Tally,
} from '../../src/contract/outcome.ts';
import { addTallies, emptyTally } from '../../src/restore/tally.ts';

/** A failed archive. */
export function failure(code: ErrorCode, archive = 'a.jsonl.gz'): ArchiveFailure {
  return { archive, code, message: `${archive}: broken`, hint: 'Mend it.', stage: 'copy', rows: 0 };
}

/** An error of a table. */
export function tableError(code: ErrorCode): TableError {
  return { code, message: 'public.t: no', hint: 'Do something.' };
}

/** What of a table is not as in one that had nothing to do. */
export interface TableChanges {
  readonly restored?: number;
  readonly earlier?: number;
  readonly failures?: readonly ArchiveFailure[];
  readonly error?: TableError;
  readonly rows?: Partial<Tally['rows']>;
  readonly notices?: readonly string[];
}

/** A table's end. */
export function table(changes: TableChanges = {}): TableOutcome {
  const { restored = 0, earlier = 0, failures = [], error = null, rows = {}, notices = [] } = changes;
  return {
    target: 'public.t',
    tally: {
      archives: { restored, earlier, failed: failures.length },
      rows: { ...emptyTally.rows, ...rows },
      bytes: 0,
    },
    failures,
    error,
    notices,
    columnNotes: [],
  };
}

/** A restore's end. */
export function outcome(state: RestoreOutcome['state'], ...tables: readonly TableOutcome[]): RestoreOutcome {
  return {
    restoreId: '20260104-052021-abc123',
    state,
    database: 'd',
    tally: tables.reduce((sum, each) => addTallies(sum, each.tally), emptyTally),
    tables,
    error: null,
    seconds: 1,
  };
}
