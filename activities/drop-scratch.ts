import { Context } from '@temporalio/activity';
import type { DrillActivities } from '../src/contract/drill.ts';
import { scratchDatabaseName, scratchSchemaName } from '../src/dump/swap/database-names.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { dropDatabase } from '../src/postgres/databases.ts';
import { dropScratchSchema } from '../src/postgres/scratch-schema.ts';
import { withDumpTools } from './dump-tools.ts';

/** Drops the scratch place of a drill, which follows from its id: no other database or schema can be named. */
export function dropScratch(thaw: ThawContext): DrillActivities['dropScratch'] {
  return async ({ drillId, request: { source } }) => {
    if (source.kind === 'dump') {
      const request = { ...source.request, restoreId: drillId };
      return withDumpTools(thaw, request, ({ service, inMaintenance }) =>
        inMaintenance((client) =>
          dropDatabase(client, scratchDatabaseName(service.connection.name, drillId)),
        ),
      );
    }
    const { cancellationSignal: signal } = Context.current();
    return thaw.withConnection(source.request, `thaw/${drillId}/drop`, signal, (client) =>
      dropScratchSchema(client, scratchSchemaName(drillId)),
    );
  };
}
