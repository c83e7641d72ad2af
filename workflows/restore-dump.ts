import { workflowInfo } from '@temporalio/workflow';
import type { DumpOutcome } from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { restoreWorkflowId } from '../src/contract/names.ts';
import { carryOut } from './carry-out.ts';
import { DumpRun } from './dump-run.ts';

/**
 * Restores a dump into the database of a service.
 *
 *     choose ──> prove ──> survey ──> load ──> verify ──> swap ──> finish
 *
 * choose   entered at the start; takes the database, finds the dump and those before it.
 * prove    reads the dump to its end; one that is not good gives way to the one before, `fallback` times.
 * survey   writes down what the live database is. Nothing was touched up to its end.
 * load     into a new database, or where the mode says so into the one that is there.
 * verify   looks at what was loaded; left for finish where the database was there already.
 * swap     gives the new database its name. Who cancels from here on comes too late.
 * finish   entered by an error or a cancel too: removes what came to no good end, writes the record, lets go.
 *
 * One that is part of the restore of a system waits at two gates, before load and swap, until that says go on; there
 * nothing but a cancel ends it.
 *
 * A dry run ends after the survey, and keeps no record.
 *
 * A pause takes hold before the next step; with `--now` the step under way is broken off, and begun again at
 * resume.
 */
export async function restoreDump(request: DumpRequest): Promise<DumpOutcome> {
  const restore = new DumpRun(named(request));
  restore.listen();
  await carryOut(restore, async () => {
    // Keep others out.
    await restore.hold();
    // Find the dump, and see that it is good.
    await restore.choose();
    await restore.prove();
    // Know what the live database is.
    await restore.survey();
    if (request.dryRun === true) return;
    // Load, and see that it is what the dump says.
    await restore.passGate('load');
    await restore.load();
    await restore.verify();
    await restore.passGate('swap');
    // Put it in the place of the live one.
    await restore.swap();
  });
  return restore.end();
}

/** A schedule starts the same request again and again; the id that it gives the workflow has the time in it. */
function named(request: DumpRequest): DumpRequest {
  if (request.restoreId !== '') return request;
  return { ...request, restoreId: workflowInfo().workflowId.slice(restoreWorkflowId('').length) };
}
