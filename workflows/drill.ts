import type { DrillReport, DrillRequest } from '../src/contract/drill.ts';
import { carryOut } from './carry-out.ts';
import { DrillRun } from './drill-run.ts';

/**
 * Rehearses a restore: the newest dump of a service, or the archives of a table, into a scratch place, by the very
 * workflow that would restore it in earnest. The clock runs from the start until it is verified.
 *
 *     planning ──> running <──> paused
 *     planning, running ──> finishing ──> completed, failed
 *     planning, running, paused ──> cancelling ──> cancelled
 *
 * planning    entered at the start; names the scratch place.
 * running     a child workflow restores into it.
 * paused      entered by a pause, which the child is told of. Left by a resume.
 * finishing   entered when the child has ended, and by an error: drops the scratch place, keeps the report, and tells
 *             the webhook where all is not well. One that could not be done is completed, and tells so in its report.
 * cancelling  the same, entered by a cancel once the child has ended; the webhook is not told.
 */
export async function drill(request: DrillRequest): Promise<DrillReport> {
  const run = new DrillRun(request);
  run.listen();
  await carryOut(run, async () => {
    // Name the scratch place.
    await run.plan();
    // Restore into it and verify, as in earnest.
    await run.restore();
  });
  return run.end();
}
