import type { Client } from '@temporalio/client';
import { newRestoreId } from '../client/restore-id.ts';
import { snapshotWorkflowId } from '../contract/names.ts';
import type { CreateSnapshotRequest } from '../contract/snapshot.ts';
import { findManifest, type SnapshotPlace } from '../snapshot/container/stored-snapshots.ts';
import { forgetRestore, recallRestore, rememberRestore } from '../stack/restore-memory.ts';
import { memoryKey, standingOf } from './begin-restore.ts';
import type { Temporal } from './temporal.ts';

/** A snapshot that a command takes, or goes on with. */
export interface BegunSnapshot {
  readonly request: CreateSnapshotRequest;
  readonly client: Client;
  /** The task queue that it is started on, or was. */
  readonly taskQueue: string;
  /** It is being taken already: its end is waited for. */
  readonly isJoined: boolean;
  /** Call it once the end has been told: the same command then takes another one. */
  forget(): Promise<void>;
}

/** What to take, and where to remember it. */
export interface BeginSnapshotOptions {
  readonly temporal: Temporal;
  readonly taskQueue: string;
  readonly stateDir: string;
  /** Where it is going to lie. */
  readonly place: SnapshotPlace;
  /** The request under an id. */
  request(id: string): CreateSnapshotRequest;
  /** Is told of one that the same command took without having told so. */
  say(line: string): void;
}

/**
 * Decides under which id a snapshot is taken: under that of the same command, as long as that is not done, so that a
 * command that was killed and is given again does not take two. Starts nothing.
 */
export async function beginSnapshot(options: BeginSnapshotOptions): Promise<BegunSnapshot> {
  const { temporal, taskQueue, stateDir, request } = options;
  const { client } = temporal;
  const key = memoryKey(temporal, { ...request(''), restoreId: '' });
  const forget = () => forgetRestore(stateDir, key);
  const earlier = await earlierOf(options, (await recallRestore(stateDir, key))?.restoreId ?? null);
  if (earlier !== null) return { ...earlier, request: request(earlier.id), client, forget };
  const id = newRestoreId();
  await rememberRestore(stateDir, key, { restoreId: id, startedAt: new Date().toISOString() });
  return { request: request(id), client, taskQueue, isJoined: false, forget };
}

/** The one to go on with; null where there is none. */
async function earlierOf(
  { temporal, taskQueue, place, say }: BeginSnapshotOptions,
  id: string | null,
): Promise<{ readonly id: string; readonly taskQueue: string; readonly isJoined: boolean } | null> {
  if (id === null) return null;
  const found = await standingOf(temporal.client, snapshotWorkflowId(id));
  if (found.standing === 'running') return { id, taskQueue: found.taskQueue, isJoined: true };
  if ((await findManifest(place, id)) !== null) {
    say(
      `The same command took snapshot ${id} before, and could not say so. To delete it: thaw snapshot delete ${id}`,
    );
    return null;
  }
  // Under its id, what is left of one that Temporal has lost is taken away first.
  return found.standing === 'unknown' ? { id, taskQueue, isJoined: false } : null;
}
