import type { DumpActivities } from '../src/contract/dump-activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { writeDumpRestore } from '../src/postgres/dump-records.ts';
import { withDumpTools } from './dump-tools.ts';
import { keepRecord, notKept } from './keep-record.ts';

/** Writes how a restore of a dump stands; where it may not, it says so. */
export function recordDump(thaw: ThawContext): DumpActivities['recordDump'] {
  return (record) =>
    withDumpTools(thaw, record.request, ({ inMaintenance }) =>
      inMaintenance(async (client) => {
        const isKept = await keepRecord(client, () => writeDumpRestore(client, record));
        return isKept ? [] : [notKept];
      }),
    );
}
