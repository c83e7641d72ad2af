import { Context } from '@temporalio/activity';
import type pg from 'pg';
import type { SnapshotRequest } from '../src/contract/snapshot.ts';
import type { SnapshotHeartbeat } from '../src/contract/snapshot-restore.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { snapshotSessions } from '../src/postgres/snapshot-stage.ts';
import type { SnapshotPlace } from '../src/snapshot/container/stored-snapshots.ts';
import { HistoryRecorder } from '../src/snapshot/history/history-recorder.ts';
import { withHeartbeats } from './heartbeat.ts';

/** Where a worker finds snapshots. */
export function placeOf(thaw: ThawContext): SnapshotPlace {
  return { store: thaw.store, prefix: thaw.config.store.prefix };
}

/** Opens connections for the attempt that is running. @param signal ends what is not connected yet */
export function connector(
  thaw: ThawContext,
  request: SnapshotRequest,
  name: string,
  signal: AbortSignal,
): () => Promise<pg.Client> {
  const { attempt } = Context.current().info;
  return () => thaw.connect(request, `${snapshotSessions(request)}${attempt}/${name}`, signal);
}

/** Does something with a connection of the attempt that is running, which the signal closes. */
export function inSession<Result>(
  thaw: ThawContext,
  request: SnapshotRequest,
  name: string,
  signal: AbortSignal,
  action: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const { attempt } = Context.current().info;
  return thaw.withConnection(request, `${snapshotSessions(request)}${attempt}/${name}`, signal, action);
}

/**
 * Does something that is written into the history of the restore while it goes on, and told by heartbeats.
 *
 * @throws what the work throws, which the history keeps as well
 */
export async function withHistory<Result>(
  thaw: ThawContext,
  request: SnapshotRequest,
  signal: AbortSignal,
  work: (history: HistoryRecorder) => Promise<Result>,
): Promise<Result> {
  const { restoreId } = request;
  const connect = connector(thaw, request, 'history', signal);
  const history = await HistoryRecorder.open({ restoreId, connect });
  try {
    return await withHeartbeats(
      () => ({ steps: history.steps }) satisfies SnapshotHeartbeat,
      () => work(history),
    );
  } catch (error) {
    if (error instanceof ThawError) history.failed(error);
    throw error;
  } finally {
    await history.close();
  }
}
