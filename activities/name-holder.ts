import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { DumpActivities } from '../src/contract/dump-activities.ts';

/** Finds out which workflow the holder of a database works for. */
export function nameHolder(): DumpActivities['nameHolder'] {
  return async ({ workflowId }) => {
    try {
      const { parentExecution } = await Context.current().client.workflow.getHandle(workflowId).describe();
      return parentExecution?.workflowId ?? null;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  };
}
