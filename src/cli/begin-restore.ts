import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { newRestoreId, requestFingerprint } from '../client/restore-id.ts';
import { restoreWorkflowId } from '../contract/names.ts';
import { forgetRestore, type RestoreKey, recallRestore, rememberRestore } from '../stack/restore-memory.ts';
import type { Followed } from './follow.ts';
import type { Temporal } from './temporal.ts';

/** What starts restores of one kind and tells how they go. */
export interface Restoring<Request, Outcome> extends Followed<Outcome> {
  /** One of the same id that runs already is joined. */
  start(request: Request): Promise<boolean>;
}

/** A restore that was begun by this command or, before it was killed, by the same one. */
export interface BegunRestore<Client> {
  readonly restoreId: string;
  readonly restores: Client;
  /** The task queue that it was started on. */
  readonly taskQueue: string;
  /** `joined`: it was running; `again`: Temporal has lost it, and the ledger knows what it did. */
  readonly how: 'started' | 'joined' | 'again';
  /** Call it once the end has been told: the same command then begins anew. */
  forget(): Promise<void>;
}

/** What to begin, and where to remember it. */
export interface BeginOptions<Request extends { readonly restoreId: string }, Outcome> {
  readonly temporal: Temporal;
  readonly taskQueue: string;
  readonly stateDir: string;
  /** The request under an id. */
  request(restoreId: string): Request;
  /** What starts it on a task queue. */
  client(taskQueue: string): Restoring<Request, Outcome>;
  /** Called before anything is started, and not where a running restore is joined. */
  prepare(request: Request): Promise<void>;
}

/** Begins a restore, or goes on with the one that the same command began and did not see the end of. */
export async function beginRestore<Request extends { readonly restoreId: string }, Outcome>(
  options: BeginOptions<Request, Outcome>,
): Promise<BegunRestore<Restoring<Request, Outcome>>> {
  const { temporal, stateDir } = options;
  const key = memoryKey(temporal, options.request(''));
  const forget = () => forgetRestore(stateDir, key);
  const remembered = await recallRestore(stateDir, key);
  if (remembered !== null) {
    const { restoreId } = remembered;
    const running = await standingOf(temporal.client, restoreWorkflowId(restoreId));
    if (running.standing === 'unknown') return start(options, restoreId, 'again', forget);
    if (running.standing === 'running') {
      const { taskQueue } = running;
      return { restoreId, restores: options.client(taskQueue), taskQueue, how: 'joined', forget };
    }
  }
  const restoreId = newRestoreId();
  await rememberRestore(stateDir, key, { restoreId, startedAt: new Date().toISOString() });
  return start(options, restoreId, 'started', forget);
}

async function start<Request extends { readonly restoreId: string }, Outcome>(
  { taskQueue, request, client, prepare }: BeginOptions<Request, Outcome>,
  restoreId: string,
  how: BegunRestore<unknown>['how'],
  forget: () => Promise<void>,
): Promise<BegunRestore<Restoring<Request, Outcome>>> {
  const restores = client(taskQueue);
  await prepare(request(restoreId));
  await restores.start(request(restoreId));
  return { restoreId, restores, taskQueue, how, forget };
}

/**
 * What a request is remembered by. The own server's port changes from start to start, so it has a name in place of an
 * address.
 */
export function memoryKey(
  { kind, address, namespace }: Temporal,
  request: { readonly restoreId: string },
): RestoreKey {
  const place = kind === 'cluster' ? address : kind;
  return { temporal: `${place}/${namespace}`, command: requestFingerprint(request) };
}

/** How Temporal sees a workflow; a running one has a task queue, which may be that of another configuration. */
export async function standingOf(
  client: Client,
  workflowId: string,
): Promise<{ standing: 'unknown' | 'ended' } | { standing: 'running'; taskQueue: string }> {
  try {
    const { status, taskQueue } = await client.workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING' ? { standing: 'running', taskQueue } : { standing: 'ended' };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { standing: 'unknown' };
    throw error;
  }
}
