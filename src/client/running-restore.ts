import { type Client, type WorkflowExecutionDescription, WorkflowNotFoundError } from '@temporalio/client';
import { databaseWorkflowId, restoreWorkflowId, workflowTypes } from '../contract/names.ts';

/** A database, and where restores of a service go. */
export interface RestoreTarget {
  /** `host:port` */
  readonly server: string;
  readonly database: string;
  /** The queue of that service alone. */
  readonly taskQueue: string;
}

/** A restore that goes on. */
export interface RunningRestore {
  readonly restoreId: string;
  /** Where it waits for workers; that of another service, or of none, where somebody else began it. */
  readonly taskQueue: string;
}

/**
 * The restore of a dump that goes on for a target: the one that holds its database, whoever began it, or one of the
 * service that has not come so far.
 *
 * @returns null where there is none
 */
export async function runningRestore(client: Client, target: RestoreTarget): Promise<RunningRestore | null> {
  const lock = await running(client, databaseWorkflowId(target.server, target.database));
  const workflowId = lock?.parentExecution?.workflowId ?? (await waitingOn(client, target.taskQueue));
  if (workflowId === null) return null;
  const restore = await running(client, workflowId);
  if (restore === null) return null;
  return { restoreId: workflowId.slice(restoreWorkflowId('').length), taskQueue: restore.taskQueue };
}

async function running(client: Client, workflowId: string): Promise<WorkflowExecutionDescription | null> {
  try {
    const description = await client.workflow.getHandle(workflowId).describe();
    return description.status.name === 'RUNNING' ? description : null;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

async function waitingOn(client: Client, taskQueue: string): Promise<string | null> {
  const query = `WorkflowType = '${workflowTypes.restoreDump}' and TaskQueue = '${taskQueue}' and ExecutionStatus = 'Running'`;
  for await (const { workflowId } of client.workflow.list({ query })) return workflowId;
  return null;
}
