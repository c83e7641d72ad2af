import { Context } from '@temporalio/activity';
import type { UndoActivities } from '../src/contract/undo-request.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { endUndo } from '../src/undo/recorded-undo.ts';

/** Tells what came of an undo, and writes that down. */
export function recordUndo(thaw: ThawContext): UndoActivities['recordUndo'] {
  return async (end) => {
    const { cancellationSignal: signal } = Context.current();
    return thaw.withConnection(end.request, `thaw/${end.request.restoreId}/record`, signal, (client) =>
      endUndo(client, end),
    );
  };
}
