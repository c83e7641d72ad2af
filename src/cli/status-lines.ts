import type { RestoreOutcome } from '../contract/outcome.ts';
import type { StoredRestore } from '../postgres/restores.ts';
import { formatCount, formatSeconds } from '../restore/format.ts';
import { rowsRestored } from '../restore/tally.ts';
import { summaryLines } from './summary.ts';

/** How a restore ended. */
export function statusLines(outcome: RestoreOutcome): string[] {
  const state = outcome.state.replaceAll('_', ' ');
  return [
    `Restore ${outcome.restoreId} of ${outcome.database}: ${state}, ${formatSeconds(outcome.seconds)}`,
    ...summaryLines(outcome),
  ];
}

/** A line for each restore. */
export function recordLines(restores: readonly StoredRestore[]): string[] {
  if (restores.length === 0) return ['No restores are recorded.'];
  return restores.map(({ request, state, outcome, createdAt }) => {
    const tables = request.tables?.map(({ intoTable }) => intoTable).join(', ') ?? 'all tables';
    const done =
      outcome === null
        ? ''
        : `  ${formatCount(outcome.tally.archives.restored)} archives, ` +
          `${formatCount(rowsRestored(outcome.tally.rows))} rows, ${formatCount(outcome.tally.archives.failed)} failed`;
    return `${request.restoreId}  ${createdAt.slice(0, 19)}Z  ${state.padEnd(23)}  ${request.database}: ${tables}${done}`;
  });
}
