import type { SystemOutcome } from '../src/contract/system-activities.ts';
import type { SystemRequest } from '../src/contract/system-request.ts';
import { carryOut } from './carry-out.ts';
import { SystemRun } from './system-run.ts';

/**
 * Restores all databases of a system from their dumps, or none.
 *
 *     plan ──> prove ──> stop ──> restore ──> swap ──> start ──> health ──> logs ──> finish
 *
 * plan     reads the worker's own system.yaml, and finds the dumps; one that is too old is told of.
 * prove    a child workflow for each database reads its dump to its end, and surveys its database.
 * stop     stops the services, one step after another. Nothing was touched up to here.
 * restore  the children load beside the live databases, and verify; as `after` says, otherwise at once.
 * swap     entered when all are verified. Where one fails, those that were swapped are swapped back.
 * start    starts the services. Their writes are in the new databases from here on, which stay whatever comes.
 * health   waits for the URLs.
 * logs     reads what the services have logged.
 * finish   entered by an error or a cancel too: until start, it gives the children up, swaps back, and starts
 *          the services that were stopped on the old databases.
 *
 * A step that fails waits for the decision of an operator, where system.yaml or the request says how long. A pause
 * takes hold before the next step, and reaches the children.
 */
export async function restoreSystem(request: SystemRequest): Promise<SystemOutcome> {
  const system = new SystemRun(request);
  system.listen();
  await carryOut(system, async () => {
    // Know what there is to do, and see that it can be done.
    await system.plan();
    await system.prove();
    // Keep the services from writing.
    await system.stop();
    // Load everything, then change it all at once.
    await system.restore();
    await system.swap();
    // Let the services go on, and see that they do.
    await system.start();
    await system.awaitHealth();
    await system.readLogs();
  });
  return system.end();
}
