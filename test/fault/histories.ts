import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { expect } from 'vitest';
import { restoreWorkflowId } from '../../src/contract/names.ts';

const { WorkflowTaskFailedCause } = temporal.api.enums.v1;

/** A message came while the task ran: the server asks for another one, and nothing is wrong. */
const harmless = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND;

/**
 * Fails when a workflow of a restore, or any below it, ever failed a workflow task: code that is not
 * deterministic, or that throws what it should not, does so again and again and shows nowhere else.
 *
 * @returns how many workflows there were
 */
export async function expectSoundHistories(client: Client, restoreId: string): Promise<number> {
  const open: { workflowId: string; runId?: string }[] = [{ workflowId: restoreWorkflowId(restoreId) }];
  let workflows = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { workflowId, runId } = next;
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    workflows += 1;
    for (const event of events ?? []) {
      const failed = event.workflowTaskFailedEventAttributes;
      if (failed && failed.cause !== harmless) {
        expect.fail(`A workflow task of ${workflowId} failed: ${failed.failure?.message}`);
      }
      const child = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution;
      if (child?.workflowId && child.runId) open.push({ workflowId: child.workflowId, runId: child.runId });
    }
  }
  return workflows;
}
