import { Context } from '@temporalio/activity';
import { parseArchiveKey, tableFolders } from '../src/archive/key.ts';
import type { Activities } from '../src/contract/activities.ts';
import type { Watermark } from '../src/contract/watermark.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { WatermarkPlaces } from '../src/load/watermark-places.ts';
import { advancePosition } from '../src/load/watermark-position.ts';
import { countRestored } from '../src/postgres/counted-archives.ts';
import { nextWatermark } from '../src/restore/watermark.ts';
import { withHeartbeats } from './heartbeat.ts';

/** Writes how far a table is restored without a gap. Gives how far that is. */
export function updateWatermark(thaw: ThawContext): Activities['updateWatermark'] {
  return async ({ scope, target: held, from }) => {
    const { cancellationSignal: signal } = Context.current();
    const { restoreId, database, table } = scope;
    return withHeartbeats(
      () => 'updating the watermark',
      () =>
        thaw.withConnection(scope, `thaw/${restoreId}/watermark`, signal, async (client) => {
          const places = new WatermarkPlaces(thaw.config, thaw.store, client, database);
          const folders = tableFolders(thaw.config.store.prefix, database, table.table, table.schema);
          const ledger = { restoreId, target: held, store: thaw.store.name, folders };
          const position = await advancePosition(thaw.store, client, ledger, from, signal);
          const total = await countRestored(client, ledger);
          const target = places.targetOf(table, held.oid);
          const wanted = watermarkAt(position.lastKey, {
            database,
            table: table.table,
            totalArchives: total,
            target,
          });
          await places.replace(table.table, (current) => nextWatermark(current, wanted, target, total));
          return position;
        }),
    );
  };
}

/** Null where there is no archive, or its key tells no day, and so no place among others. */
function watermarkAt(
  key: string | null,
  rest: Omit<Watermark, 'lastRestoredDay' | 'lastRestoredKey'>,
): Watermark | null {
  const day = key === null ? null : parseArchiveKey(key).day;
  return key === null || day === null ? null : { ...rest, lastRestoredDay: day, lastRestoredKey: key };
}
