import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { recordKeys } from '../src/postgres/key-records.ts';
import { snapshotSessions } from '../src/postgres/snapshot-stage.ts';
import { endSessions } from '../src/postgres/targets.ts';
import { mergeSnapshot as merge } from '../src/snapshot/restore/merge-snapshot.ts';
import { readSelection } from '../src/snapshot/restore/selection.ts';
import { inSession, placeOf, withHistory } from './snapshot-tools.ts';

/** Brings what was staged into the tables, in one transaction. */
export function mergeSnapshot(thaw: ThawContext): Activities['mergeSnapshot'] {
  return async ({ request, held, staged: { tables: staged } }) => {
    const { cancellationSignal: signal } = Context.current();
    const { restoreId, selection } = request;
    const place = placeOf(thaw);
    return inSession(thaw, request, 'merge', signal, async (client) => {
      await endSessions(client, snapshotSessions(request));
      return withHistory(thaw, request, signal, (history) =>
        merge(client, {
          ...{ request, held, staged, place, history },
          chosen: selection === null ? null : readSelection(place, selection, request, signal),
          recordKeys: (keys) =>
            inSession(thaw, request, 'keys', signal, (other) => recordKeys(other, restoreId, keys)),
        }),
      );
    });
  };
}
