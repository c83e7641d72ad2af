import type { TableError, TableOutcome } from '../contract/outcome.ts';
import type { TableRequest } from '../contract/restore-request.ts';
import type { TableResults } from './table-results.ts';

/** What reading the archives of a table first has found. */
export interface VerifiedTable {
  readonly table: TableRequest;
  readonly archives: number;
  readonly results: TableResults;
}

/** Why nothing of a restore is loaded; null where all archives are sound. */
export function unsoundError(tables: readonly VerifiedTable[]): TableError | null {
  const [first] = tables.flatMap(({ results }) => results.failures);
  if (first === undefined) return null;
  const failed = tables.reduce((sum, { results }) => sum + results.tally.archives.failed, 0);
  const archives = tables.reduce((sum, each) => sum + each.archives, 0);
  return { code: first.code, message: describe(failed, archives), hint };
}

/** The outcome of a table where archives of any table are not sound. */
export function unsoundOutcome({ table, archives, results }: VerifiedTable): TableOutcome {
  const target = `${table.intoSchema}.${table.intoTable}`;
  const { tally, failures, columnNotes } = results;
  const [first] = failures;
  const isSound = first === undefined;
  const message = `${target}: ${describe(tally.archives.failed, archives)}`;
  return {
    ...{ target, tally, failures, columnNotes },
    error: isSound ? null : { code: first.code, message, hint },
    notices: isSound ? ['Nothing was loaded, as archives of other tables did not pass --verify-first.'] : [],
  };
}

const hint =
  'Bring back earlier versions of them, or restore without --verify-first: all others are loaded then.';

function describe(failed: number, archives: number): string {
  return `${failed} of ${archives} archives did not pass --verify-first, so nothing was loaded.`;
}
