import { CancellationScope } from '@temporalio/workflow';
import type { SystemEvent, SystemRequest } from '../src/contract/system-request.ts';
import type { Notices } from '../src/restore/notices.ts';
import { toTableError } from './failures.ts';
import type { SystemWork } from './system-work.ts';

/** The webhooks of a system, told of one event after another; what hinders that hinders nothing else. */
export class SystemWebhooks {
  /** How many there are, which the plan tells. */
  count = 0;
  readonly #request: SystemRequest;
  readonly #work: SystemWork;
  readonly #notices: Notices;
  /** Settles and never rejects. */
  #told: Promise<void> = Promise.resolve();

  constructor(request: SystemRequest, work: SystemWork, notices: Notices) {
    this.#request = request;
    this.#work = work;
    this.#notices = notices;
  }

  /** Sends an event to all of them, after those before. */
  tell(event: SystemEvent, body: Readonly<Record<string, unknown>>): void {
    const { restoreId, system } = this.#request;
    const whole = { restoreId, system, at: new Date().toISOString(), ...body };
    this.#told = CancellationScope.nonCancellable(async () => {
      await this.#told;
      await Promise.all(
        Array.from({ length: this.count }, (_, webhook) => this.#send(webhook, event, whole)),
      );
    });
  }

  /** Resolves once all were told, or given up. */
  async settle(): Promise<void> {
    await this.#told;
  }

  async #send(webhook: number, event: SystemEvent, body: Readonly<Record<string, unknown>>): Promise<void> {
    try {
      await this.#work.notifySystem({ request: this.#request, webhook, event, body });
    } catch (error) {
      const { message } = toTableError(error);
      this.#notices.add(`Webhook ${webhook + 1} was not told of "${event}": ${message}`);
    }
  }
}
