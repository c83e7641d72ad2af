import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import type { extractBundle } from '../../workflows/extract-bundle.ts';
import type { ExtractRequest } from '../contract/extract-request.ts';
import { extractWorkflowId, workflowTypes } from '../contract/names.ts';

/** A question waits this long for Temporal to answer it. */
const answerWithinMs = 10_000;

/** How Temporal sees an extract. */
export type ExtractStanding = 'running' | 'ended' | 'unknown';

/** Starts extracts in Temporal, and asks whether they still run. */
export class ExtractClient {
  readonly #client: Client;
  readonly #taskQueue: string;

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /** Starts an extract, unless it was ever started. */
  async start(request: ExtractRequest): Promise<void> {
    try {
      await this.#inTime(() =>
        this.#client.workflow.start<typeof extractBundle>(workflowTypes.extractBundle, {
          taskQueue: this.#taskQueue,
          workflowId: extractWorkflowId(request.runId),
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          args: [request],
          staticSummary: `extract of ${request.database}.${request.namespace}`,
        }),
      );
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }

  /** Whether an extract still runs, without a worker. */
  async standing(runId: string): Promise<ExtractStanding> {
    try {
      const handle = this.#client.workflow.getHandle(extractWorkflowId(runId));
      const { status } = await this.#inTime(() => handle.describe());
      return status.name === 'RUNNING' ? 'running' : 'ended';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'unknown';
      throw error;
    }
  }

  /** Asks for an extract to be cancelled; of one that has ended nothing happens. */
  async cancel(runId: string): Promise<void> {
    await this.#inTime(() => this.#client.workflow.getHandle(extractWorkflowId(runId)).cancel());
  }

  #inTime<T>(ask: () => Promise<T>): Promise<T> {
    return this.#client.withDeadline(Date.now() + answerWithinMs, ask);
  }
}
