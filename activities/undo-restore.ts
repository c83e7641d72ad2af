import { Context } from '@temporalio/activity';
import type { UndoActivities, UndoHeartbeat } from '../src/contract/undo-request.ts';
import { forgetInstalled } from '../src/control/installed-bundles.ts';
import { databaseError } from '../src/postgres/sqlstate.ts';
import { endSessions } from '../src/postgres/targets.ts';
import { undoTables } from '../src/undo/undo-restore.ts';
import { undoneRestore } from '../src/undo/undone-restore.ts';
import type { BundleWorker } from './bundle-tools.ts';
import { withHeartbeats } from './heartbeat.ts';

/** Takes back what a restore did to its tables. */
export function undoRestore({
  thaw,
  control,
}: Pick<BundleWorker, 'thaw' | 'control'>): UndoActivities['undoRestore'] {
  return async (request) => {
    const { restoreId, undoes, disableTriggers } = request;
    const { cancellationSignal: signal, info } = Context.current();
    const sessions = `thaw/${restoreId}/undo/`;
    let done: UndoHeartbeat = { tables: [] };
    const onProgress = (told: UndoHeartbeat) => {
      done = told;
    };
    // A cancellation lets the transaction end that is under way, and the tables go.
    const { signal: never } = new AbortController();
    return withHeartbeats(
      () => done,
      () =>
        thaw.withConnection(request, sessions + info.attempt, never, async (client) => {
          try {
            // Of an attempt whose worker is gone: one workflow has one attempt at a time.
            await endSessions(client, sessions);
            const restore = await undoneRestore(client, undoes);
            if (restore.isBundle) await control.database.use((other) => forgetInstalled(other, undoes));
            return await undoTables(client, {
              undoId: restoreId,
              restore,
              disableTriggers,
              signal,
              onProgress,
            });
          } catch (error) {
            throw databaseError(error, { object: undoes });
          }
        }),
    );
  };
}
