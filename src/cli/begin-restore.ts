import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { RestoreClient } from '../client/restore-client.ts';
import { newRestoreId, requestFingerprint } from '../client/restore-id.ts';
import { restoreWorkflowId } from '../contract/names.ts';
import type { RestoreRequest } from '../contract/restore-request.ts';
import { forgetRestore, type RestoreKey, recallRestore, rememberRestore } from '../stack/restore-memory.ts';
import { restoresOf, type Temporal } from './temporal.ts';

/** A restore that was begun by this command or, before it was killed, by the same one. */
export interface BegunRestore {
  readonly restoreId: string;
  readonly restores: RestoreClient;
  /** The task queue that it was started on. */
  readonly taskQueue: string;
  /** `joined`: it was running; `again`: Temporal has lost it, and the ledger knows what it did. */
  readonly how: 'started' | 'joined' | 'again';
  /** Call it once the end has been told: the same command then begins anew. */
  forget(): Promise<void>;
}

/** What to begin, and where to remember it. */
export interface BeginOptions {
  readonly temporal: Temporal;
  readonly taskQueue: string;
  readonly stateDir: string;
  /** The request under an id. */
  request(restoreId: string): RestoreRequest;
  /** Called before anything is started, and not where a running restore is joined. */
  prepare(request: RestoreRequest): Promise<void>;
}

/** Begins a restore, or goes on with the one that the same command began and did not see the end of. */
export async function beginRestore(options: BeginOptions): Promise<BegunRestore> {
  const { temporal, stateDir } = options;
  const key = memoryKey(temporal, options.request(''));
  const forget = () => forgetRestore(stateDir, key);
  const remembered = await recallRestore(stateDir, key);
  if (remembered !== null) {
    const { restoreId } = remembered;
    const running = await standingOf(temporal.client, restoreId);
    if (running.standing === 'unknown') return start(options, restoreId, 'again', forget);
    if (running.standing === 'running') {
      const { taskQueue } = running;
      return { restoreId, restores: restoresOf(temporal, taskQueue), taskQueue, how: 'joined', forget };
    }
  }
  const restoreId = newRestoreId();
  await rememberRestore(stateDir, key, { restoreId, startedAt: new Date().toISOString() });
  return start(options, restoreId, 'started', forget);
}

async function start(
  { temporal, taskQueue, request, prepare }: BeginOptions,
  restoreId: string,
  how: BegunRestore['how'],
  forget: () => Promise<void>,
): Promise<BegunRestore> {
  const restores = restoresOf(temporal, taskQueue);
  await prepare(request(restoreId));
  await restores.start(request(restoreId));
  return { restoreId, restores, taskQueue, how, forget };
}

/** The own server's port changes from start to start, so it has a name in place of an address. */
function memoryKey({ kind, address, namespace }: Temporal, request: RestoreRequest): RestoreKey {
  const place = kind === 'cluster' ? address : kind;
  return { temporal: `${place}/${namespace}`, command: requestFingerprint(request) };
}

/** How Temporal sees a restore; a running one has a task queue, which may be that of another configuration. */
async function standingOf(
  client: Client,
  restoreId: string,
): Promise<{ standing: 'unknown' | 'ended' } | { standing: 'running'; taskQueue: string }> {
  try {
    const { status, taskQueue } = await client.workflow.getHandle(restoreWorkflowId(restoreId)).describe();
    return status.name === 'RUNNING' ? { standing: 'running', taskQueue } : { standing: 'ended' };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { standing: 'unknown' };
    throw error;
  }
}
