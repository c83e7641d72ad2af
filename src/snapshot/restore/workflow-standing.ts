import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { restoreWorkflowId } from '../../contract/names.ts';
import type { UnendedSnapshot } from '../../postgres/unended-snapshots.ts';

/** How the workflow of a restore stands; `unknown`: who was asked cannot tell. */
export type WorkflowStanding = 'running' | 'ended' | 'unknown';

/** Asks after the workflow of a restore. */
export type AskStanding = (restore: UnendedSnapshot) => Promise<WorkflowStanding>;

/** Milliseconds that a question may take. */
const patience = 10_000;

/**
 * Asks a Temporal server. One that does not know the workflow says something only where the workflow was its own: it
 * has forgotten it then, as it does with those that have ended. One that does not answer says nothing, and is asked no
 * more.
 */
export function standingIn(client: Client): AskStanding {
  let isSilent = false;
  return async ({ restoreId, workflow }) => {
    if (isSilent) return 'unknown';
    const workflowId = restoreWorkflowId(restoreId);
    const inTime = <T>(question: () => Promise<T>) => client.withDeadline(Date.now() + patience, question);
    try {
      const { status } = await inTime(() => client.workflow.getHandle(workflowId).describe());
      return status.name === 'RUNNING' ? 'running' : 'ended';
    } catch (error) {
      isSilent = !(error instanceof WorkflowNotFoundError);
      if (isSilent) return 'unknown';
    }
    try {
      const { clusterId } = await inTime(() => client.workflowService.getClusterInfo({}));
      return workflow === `${clusterId}/${client.options.namespace}/${workflowId}` ? 'ended' : 'unknown';
    } catch {
      isSilent = true;
      return 'unknown';
    }
  };
}
