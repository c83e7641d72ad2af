import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';

/** Asks Temporal to cancel a workflow: how the `cancel` signal comes to be Temporal's own cancel. */
export function cancelWorkflow(): Activities['cancelWorkflow'] {
  return async ({ workflowId, firstExecutionRunId }) => {
    const { client } = Context.current();
    await client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId }).cancel();
  };
}
