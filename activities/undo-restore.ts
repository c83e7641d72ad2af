import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { readRestore } from '../src/postgres/restores.ts';
import { databaseError } from '../src/postgres/sqlstate.ts';
import { endSessions } from '../src/postgres/targets.ts';
import { undoTables } from '../src/undo/undo-restore.ts';
import { withHeartbeats } from './heartbeat.ts';

/** Takes back what a restore did to its tables. */
export function undoRestore(thaw: ThawContext): Activities['undoRestore'] {
  return async (request) => {
    const { restoreId, disableTriggers } = request;
    const { cancellationSignal: signal, info } = Context.current();
    const sessions = `thaw/undo-${restoreId}/`;
    let undone = 0;
    const onUndone = (rows: number) => {
      undone += rows;
    };
    // A cancellation lets the transaction end that is under way, and the tables go.
    const { signal: never } = new AbortController();
    return withHeartbeats(
      () => ({ undone }),
      () =>
        thaw.withConnection(request, sessions + info.attempt, never, async (client) => {
          try {
            // Of an attempt whose worker is gone: one workflow has one attempt at a time.
            await endSessions(client, sessions);
            const restore = await readRestore(client, restoreId);
            if (restore === null) throw unknown(restoreId);
            return await undoTables(client, { restore, disableTriggers, signal, onUndone });
          } catch (error) {
            throw databaseError(error, { object: restoreId });
          }
        }),
    );
  };
}

function unknown(restoreId: string): ThawError {
  return new ThawError('InputInvalid', `no restore ${restoreId} is known`, {
    object: restoreId,
    hint: 'See `thaw status` without an id for the latest ones.',
  });
}
