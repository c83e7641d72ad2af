import { CancellationScope, CancelledFailure, isCancellation } from '@temporalio/workflow';
import type { TableError } from '../src/contract/outcome.ts';
import { toFailure } from './failures.ts';

/** The state of a workflow whose plan is carried out. */
export interface PlannedRun {
  /** It was cancelled. */
  cancelled: boolean;
  /** A step has failed. */
  fail(error: unknown): void;
  /** What is done at the end, whatever came before. */
  finish(): Promise<void>;
}

/** Does the steps of a plan, then what is done at its end: also where a step fails or the workflow is cancelled. */
export async function carryOut(run: PlannedRun, steps: () => Promise<void>): Promise<void> {
  try {
    await steps();
  } catch (error) {
    if (isCancellation(error) || CancellationScope.current().consideredCancelled) run.cancelled = true;
    else run.fail(error);
  }
  await CancellationScope.nonCancellable(() => run.finish());
}

/** What the outcomes of all workflows tell that have a plan. */
export interface EndedRun {
  readonly state: string;
  readonly error: TableError | null;
}

/** Gives the outcome of a workflow, or throws so that Temporal shows it as cancelled or failed. */
export function endWith<Outcome extends EndedRun>(outcome: Outcome): Outcome {
  if (outcome.state === 'cancelled') throw new CancelledFailure('The restore was cancelled.', [outcome]);
  if (outcome.error !== null) throw toFailure(outcome.error, outcome);
  return outcome;
}

/** How a run has ended, or would end now. */
export function endState(
  isCancelled: boolean,
  error: TableError | null,
): 'completed' | 'failed' | 'cancelled' {
  if (isCancelled) return 'cancelled';
  return error === null ? 'completed' : 'failed';
}
