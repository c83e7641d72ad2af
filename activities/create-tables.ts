import { Context } from '@temporalio/activity';
import { configuredTables, findDatabase } from '../src/config/database-config.ts';
import type { Activities } from '../src/contract/activities.ts';
import { makeTables } from '../src/load/make-tables.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { ensureSchema } from '../src/postgres/schema.ts';
import { withHeartbeats } from './heartbeat.ts';

/** Makes the tables that are not there from their archived schemas, as far as it can; `prepareTable` tells why not. */
export function createTables(thaw: ThawContext): Activities['createTables'] {
  return async (request) => {
    const { cancellationSignal: signal } = Context.current();
    thaw.checkFingerprint(request);
    const tables = request.tables ?? configuredTables(findDatabase(thaw.config, request.database));
    await withHeartbeats(
      () => 'creating tables',
      () =>
        thaw.withConnection(request, `thaw/${request.restoreId}/create`, signal, async (client) => {
          await ensureSchema(client);
          await makeTables(thaw, client, request, tables, tables, signal);
        }),
    );
  };
}
