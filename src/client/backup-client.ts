import { ApplicationFailure, type Client, WorkflowFailedError } from '@temporalio/client';
import type { backupDump } from '../../workflows/backup-dump.ts';
import { serviceFingerprint } from '../config/fingerprint.ts';
import type { ServiceConfig } from '../config/thaw-config.ts';
import type { BackupOutcome, BackupRequest } from '../contract/backup-request.ts';
import { isErrorCode } from '../contract/error-code.ts';
import { backupWorkflowId, workflowTypes } from '../contract/names.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { summaryText } from '../restore/clip.ts';
import type { WorkflowStart } from './restore-client.ts';

/** The request to dump the database of a service. */
export function toBackupRequest(
  service: ServiceConfig,
  { format, options }: Pick<BackupRequest, 'format' | 'options'>,
  heartbeatSeconds: number,
): BackupRequest {
  const { host, port, name } = service.connection;
  return {
    ...{ service: service.name, fingerprint: serviceFingerprint(service) },
    ...{ server: `${host}:${port}`, database: name, format, options, heartbeatSeconds },
  };
}

/** The workflow of a backup. */
export function backupWorkflow(request: BackupRequest): WorkflowStart {
  const summary = summaryText(`Dump of ${request.database} of ${request.server}`);
  return { type: workflowTypes.backupDump, args: [request], summary };
}

/** Starts backups; one of the same database that runs already is joined. */
export class BackupClient {
  readonly #client: Client;
  readonly #taskQueue: string;

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /** Makes a dump, and waits until it lies in the store. @throws what it failed for */
  async make(request: BackupRequest): Promise<BackupOutcome> {
    const { type, args, summary } = backupWorkflow(request);
    const handle = await this.#client.workflow.start<typeof backupDump>(type, {
      taskQueue: this.#taskQueue,
      workflowId: backupWorkflowId(request),
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [...args] as [BackupRequest],
      staticSummary: summary,
    });
    try {
      return await handle.result();
    } catch (error) {
      throw error instanceof WorkflowFailedError ? (toldError(error) ?? error) : error;
    }
  }
}

/** The error of the closed set that a workflow failed for; null for any other. */
export function toldError({ cause }: WorkflowFailedError): ThawError | null {
  if (!(cause instanceof ApplicationFailure) || !isErrorCode(cause.type)) return null;
  const [detail] = cause.details ?? [];
  const { hint } = (detail ?? {}) as { readonly hint?: string };
  return new ThawError(cause.type, cause.message, { hint, cause });
}
