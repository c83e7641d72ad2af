import {
  CancellationScope,
  type ChildWorkflowHandle,
  type ChildWorkflowOptions,
  getExternalWorkflowHandle,
  log,
  startChild,
  type WithWorkflowArgs,
  type Workflow,
} from '@temporalio/workflow';
import { throwIfCancelled } from './control.ts';

/**
 * Starts a child workflow that a cancellation of the present scope reaches whenever it comes, and waits for
 * its end. The server is asked to cancel it once it runs: the SDK's own `startChild` asks at once, and the
 * request for a child that is not there yet is lost (100 loads being started: some ran on in each of 3 runs,
 * and the restore hung).
 *
 * @throws WorkflowExecutionAlreadyStartedError when its id is taken; CancelledFailure when the scope was
 * cancelled before
 */
export async function startReachableChild<T extends Workflow>(
  type: string,
  options: WithWorkflowArgs<T, ChildWorkflowOptions>,
): Promise<ChildWorkflowHandle<T>> {
  await throwIfCancelled();
  const { cancelRequested } = CancellationScope.current();
  const child = await CancellationScope.nonCancellable(() => startChild<T>(type, options));
  cancelRequested.catch(() => CancellationScope.nonCancellable(() => cancelChild(child)));
  return child;
}

async function cancelChild({
  workflowId,
  firstExecutionRunId,
}: ChildWorkflowHandle<Workflow>): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowId, firstExecutionRunId).cancel();
  } catch (error) {
    log.debug('The child has ended before it could be cancelled', { error: String(error) });
  }
}
