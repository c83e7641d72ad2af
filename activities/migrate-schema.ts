import { Context } from '@temporalio/activity';
import { tableFolders } from '../src/archive/key.ts';
import type { Activities } from '../src/contract/activities.ts';
import { compareSchemas } from '../src/load/compare-schemas.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { recordSchemas } from '../src/postgres/archived-schemas.ts';
import { loadPrefix } from '../src/postgres/targets.ts';
import { withHeartbeats } from './heartbeat.ts';
import { pendingOf } from './list-archives.ts';

/** Compares the schemas of all archives with the table, and notes them for the loads. */
export function migrateSchema(thaw: ThawContext): Activities['migrateSchema'] {
  return async ({ scope, target: held, options, keys }) => {
    const { cancellationSignal: signal } = Context.current();
    const { restoreId, database, table } = scope;
    const [folder = ''] = tableFolders(thaw.config.store.prefix, database, table.table, table.schema);
    return withHeartbeats(
      () => 'comparing schemas',
      () =>
        // Under the name of a load, so that the target counts as held for as long as this takes.
        thaw.withConnection(scope, `${loadPrefix(restoreId, held.oid, 0)}schema`, signal, async (client) => {
          const target = await thaw.target(scope, held, signal);
          const request = { database, keys, options };
          const { marks, ...compared } = await compareSchemas(
            thaw,
            { request, table, target, signal },
            (archives) => pendingOf(client, thaw, { scope, target: held, options }, folder, archives),
          );
          await recordSchemas(client, restoreId, held.oid, marks);
          return compared;
        }),
    );
  };
}
