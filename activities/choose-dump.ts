import type { DumpActivities } from '../src/contract/dump-activities.ts';
import { chooseDump as choose } from '../src/dump/choose/choose-dump.ts';
import { checkTarget } from '../src/dump/target/check-target.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withDumpTools } from './dump-tools.ts';

/** Checks the request against the worker's own configuration and the database, lists the dumps of the service and chooses. */
export function chooseDump(thaw: ThawContext, searchAttributes: boolean): DumpActivities['chooseDump'] {
  return (request) =>
    withDumpTools(thaw, request, async ({ service, signal, inMaintenance, withStore }) => {
      // Told before a long dump is read: it is looked at once more before anything is touched.
      await inMaintenance((client) => checkTarget(client, request));
      const { choice, fallback } = request;
      const chosen = await withStore((store) => choose(store, service, choice, fallback, signal));
      return { ...chosen, searchAttributes };
    });
}
