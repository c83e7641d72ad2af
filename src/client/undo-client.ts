import {
  ActivityFailure,
  ApplicationFailure,
  type Client,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { isErrorCode } from '../contract/error-code.ts';
import { undoWorkflowId, workflowTypes } from '../contract/names.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { UndoFailure, UndoRequest } from '../contract/undo-request.ts';
import { summaryText } from '../restore/clip.ts';

/** Has workers take restores back. */
export class UndoClient {
  readonly #client: Client;
  readonly #taskQueue: string;

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /** Starts an undo; one of the same restore that runs already is joined. */
  async start(request: UndoRequest): Promise<WorkflowHandle> {
    const { restoreId } = request;
    return this.#client.workflow.start(workflowTypes.undoRestore, {
      taskQueue: this.#taskQueue,
      workflowId: undoWorkflowId(restoreId),
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [request],
      staticSummary: summaryText(`undo of ${restoreId}`),
    });
  }

  /**
   * Waits for the end of an undo.
   *
   * @returns the tables that could not be undone
   * @throws ThawError why none was
   */
  async outcome(restoreId: string): Promise<readonly UndoFailure[]> {
    const handle = this.#client.workflow.getHandle(undoWorkflowId(restoreId));
    try {
      return (await handle.result()) as readonly UndoFailure[];
    } catch (error) {
      throw thawError(error) ?? error;
    }
  }
}

function thawError(error: unknown): ThawError | null {
  const cause = error instanceof WorkflowFailedError ? error.cause : null;
  const inner = cause instanceof ActivityFailure ? cause.cause : cause;
  if (!(inner instanceof ApplicationFailure) || !isErrorCode(inner.type)) return null;
  const [details] = (inner.details ?? []) as readonly { readonly hint?: string }[];
  return new ThawError(inner.type, inner.message, { hint: details?.hint, cause: error });
}
