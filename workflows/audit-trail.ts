import { CancellationScope, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../src/contract/activities.ts';
import type { AuditEvent } from '../src/contract/audit-event.ts';
import { type AuditedTable, endEvent, startEvent } from '../src/restore/audit-event.ts';
import { toTableError } from './failures.ts';

const { writeAuditEvent } = proxyActivities<Activities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '2 minutes',
  retry: { initialInterval: '1s', maximumInterval: '10s', maximumAttempts: 3 },
});

/** Tells the archiver's audit trail that the restore of a table begins and how it ends. What fails here fails no restore. */
export class AuditTrail {
  readonly #audited: AuditedTable;
  #started: Promise<readonly string[]> = Promise.resolve([]);

  constructor(audited: AuditedTable) {
    this.#audited = audited;
  }

  /** Writes that it begins; nothing waits for that but {@link settle} and {@link end}. */
  begin(): void {
    this.#started = this.#write(startEvent(this.#audited, new Date()));
  }

  /** Waits until it is written that it begins. Gives a notice where that failed. */
  settle(): Promise<readonly string[]> {
    return this.#started;
  }

  /** Writes how it ended. Gives notices where that, or the beginning, could not be written. */
  async end(outcome: Parameters<typeof endEvent>[2]): Promise<readonly string[]> {
    const begun = await this.#started;
    const now = new Date();
    const seconds = (now.getTime() - workflowInfo().startTime.getTime()) / 1000;
    return [...begun, ...(await this.#write(endEvent(this.#audited, now, outcome, seconds)))];
  }

  async #write(event: AuditEvent): Promise<readonly string[]> {
    const { scope } = this.#audited;
    try {
      await CancellationScope.nonCancellable(() => writeAuditEvent({ scope, event }));
      return [];
    } catch (error) {
      return [`The audit trail lacks ${event.event_type}: ${toTableError(error).message}`];
    }
  }
}
