import { CancellationScope, ContinueAsNew } from '@temporalio/workflow';
import type { TableOutcome } from '../src/contract/outcome.ts';
import type { RestoreTableInput } from './table-input.ts';
import { TableRun } from './table-run.ts';

/**
 * Restores one table: takes the target, loads its archives a window at a time, lets the target go.
 *
 *     planning ──> running <──> pausing ──> paused ──> running
 *     running ──> finishing ──> completed, completed_with_failures, failed
 *     planning, running, pausing, paused ──> cancelling ──> cancelled
 *
 * planning    entered at the start; takes the target, and compares the archived schemas with the table's.
 * running     keeps loads in flight. A later run of the workflow, by continue-as-new, begins here.
 * pausing     entered by a pause: starts nothing, and lets what is in flight end; with `--now` it is rolled back.
 * paused      nothing is in flight; the target is kept. Left by a resume.
 * cancelling  entered by a cancel: what is in flight is rolled back, and then all is done that finishing does.
 * finishing   entered when all is loaded, or by an error of the table as a whole: what is in flight is rolled back,
 *             what was dropped is built again, and the target is let go.
 */
export async function restoreTable(input: RestoreTableInput): Promise<TableOutcome> {
  const table = new TableRun(input);
  table.listen();
  try {
    // Take the target and make it ready.
    await table.prepare();
    // Compare the archived schemas with the table's; a strict restore ends here, before anything is loaded.
    await table.migrateSchema();
    // Load every archive, page by page, a window at a time.
    await table.loadPages();
    // Try again what broke a foreign key of the table to itself, until a round brings nothing.
    await table.loadDeferred();
    // A restore that found archives of another schema only is none.
    table.refuseForeign();
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    table.fail(error);
  }
  // Finish, whatever happened: what was dropped is rebuilt, and the target is let go.
  await CancellationScope.nonCancellable(() => table.finish());
  return table.end();
}
