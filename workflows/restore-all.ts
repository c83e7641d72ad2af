import type { RestoreOutcome } from '../src/contract/outcome.ts';
import type { RestoreRequest } from '../src/contract/restore-request.ts';
import { carryOut } from './carry-out.ts';
import { RestoreRun } from './restore-run.ts';

/**
 * Restores tables of one database: plans, has each table restored (parents of foreign keys first), reports.
 *
 *     planning ──> running <──> pausing ──> paused ──> running
 *     planning, running ──> finishing ──> completed, completed_with_failures, failed
 *     planning, running, pausing, paused ──> cancelling ──> cancelled
 *
 * planning    entered at the start. Nothing is touched but what `createTable` makes.
 * running     reads all archives first, where that is asked for; then its tables, each a child workflow.
 * pausing     entered by a pause: no table begins, those that run bring their loads to an end. Left when all have.
 * paused      left by a resume.
 * cancelling  entered by a cancel; the tables have it from here. Left when all have ended.
 * finishing   entered when all tables have ended, or by an error of the restore as a whole: writes the record.
 */
export async function restoreAll(request: RestoreRequest): Promise<RestoreOutcome> {
  const restore = new RestoreRun(request);
  restore.listen();
  await carryOut(restore, async () => {
    // Check the request and order the tables.
    await restore.plan();
    // Read every archive to its end first, where that is asked for.
    await restore.verifyFirst();
    // Restore the tables, each once its parents are done.
    await restore.restoreTables();
  });
  return restore.end();
}
