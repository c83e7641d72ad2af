import type { DumpActivities } from '../src/contract/dump-activities.ts';
import { chooseDump as choose } from '../src/dump/choose/choose-dump.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withDumpTools } from './dump-tools.ts';

/** Checks the request against the worker's own configuration, lists the dumps of the service and chooses. */
export function chooseDump(thaw: ThawContext, searchAttributes: boolean): DumpActivities['chooseDump'] {
  return (request) =>
    withDumpTools(thaw, request, ({ service, signal, withStore }) =>
      withStore(async (store) => ({
        ...(await choose(store, service, request.choice, request.fallback, signal)),
        searchAttributes,
      })),
    );
}
