import { Context } from '@temporalio/activity';
import { tableFolders } from '../src/archive/key.ts';
import type { Activities } from '../src/contract/activities.ts';
import { archiveKey } from '../src/contract/names.ts';
import { findSchemas, wholeKeys } from '../src/load/archived-schemas.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { recordSchemas } from '../src/postgres/archived-schemas.ts';
import { readTarget } from '../src/postgres/catalog.ts';
import { findEarlier } from '../src/postgres/ledger.ts';
import { loadPrefix } from '../src/postgres/targets.ts';
import { checkMigration, describeMigration, planMigration } from '../src/restore/schema-migration.ts';
import { withHeartbeats } from './heartbeat.ts';

/** Finds the schemas of all archives, refuses the table where its strategy does, and gives the plan as notices. */
export function migrateSchema(thaw: ThawContext): Activities['migrateSchema'] {
  return async ({ scope, target: held, options, keys }) => {
    const { cancellationSignal: signal } = Context.current();
    const { restoreId, database, table } = scope;
    const { prefix } = thaw.config.store;
    const folders = tableFolders(prefix, database, table.table, table.schema);
    const [folder = ''] = folders;
    const { startDate, endDate, ignoreWatermark } = options;
    const own = keys === null ? null : wholeKeys(keys, prefix, folders);
    return withHeartbeats(
      () => 'comparing schemas',
      () =>
        // Under the name of a load, so that the target counts as held for as long as this takes.
        thaw.withConnection(scope, `${loadPrefix(restoreId, held.oid, 0)}schema`, signal, async (client) => {
          const ledger = { restoreId, target: held, store: thaw.store.name };
          const found = await findSchemas(
            thaw.store,
            { folders, schema: table.schema, startDate, endDate, keys: own, signal },
            async (archives) => {
              if (ignoreWatermark) return archives;
              const named = archives.map(({ name, etag }) => ({ key: archiveKey(folder, name), etag }));
              const earlier = await findEarlier(client, ledger, named);
              return archives.filter(({ name }) => !earlier.has(archiveKey(folder, name)));
            },
          );
          const name = `${table.intoSchema}.${table.intoTable}`;
          const { columns } = await readTarget(client, table.intoSchema, table.intoTable);
          const plans = planMigration(name, found, columns, options);
          checkMigration(plans, options);
          await recordSchemas(client, restoreId, held.oid, found.marks);
          return describeMigration(plans);
        }),
    );
  };
}
