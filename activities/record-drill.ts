import { Context } from '@temporalio/activity';
import type { DrillActivities } from '../src/contract/drill.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { writeDrill } from '../src/postgres/drill-records.ts';
import { withDumpTools } from './dump-tools.ts';
import { keepRecord } from './keep-record.ts';

const notKept =
  'The drill is not kept, since the user may not make the schema thaw (`thaw schema --sql` prints it): `thaw drills` will not know it.';

/** Keeps the report of a drill in `thaw.drills`: of a dump in the maintenance database, else in that of the archives. */
export function recordDrill(thaw: ThawContext): DrillActivities['recordDrill'] {
  return async ({ drillId, request: { source }, report }) => {
    const { subject, outcome, startedAt, endedAt } = report;
    const record = { drillId, subject, outcome, report, startedAt, endedAt };
    const { cancellationSignal: signal } = Context.current();
    const isKept =
      source.kind === 'dump'
        ? await withDumpTools(thaw, { ...source.request, restoreId: drillId }, ({ inMaintenance }) =>
            inMaintenance((client) => keepRecord(client, () => writeDrill(client, record))),
          )
        : await thaw.withConnection(source.request, `thaw/${drillId}/record`, signal, (client) =>
            keepRecord(client, () => writeDrill(client, record)),
          );
    return isKept ? [] : [notKept];
  };
}
