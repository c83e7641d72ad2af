import { condition, getExternalWorkflowHandle, setHandler, workflowInfo } from '@temporalio/workflow';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { gateReachedSignal, proceedSignal } from '../src/contract/messages.ts';
import type { DumpGate } from '../src/contract/system-request.ts';

/** The gates at which a restore of a dump waits for that of the system that it is part of, if it is. */
export class DumpGates {
  /** What the restore of the system has opened. */
  readonly #open = new Set<DumpGate>();

  /** Sets the handler of the message that opens them. */
  listen(): void {
    setHandler(proceedSignal, (gate) => {
      this.#open.add(gate);
    });
  }

  /** Says that a gate is reached, and waits until it is open. */
  async pass(gate: DumpGate, { isGated, restoreId }: DumpRequest): Promise<void> {
    const { parent } = workflowInfo();
    if (isGated !== true || parent === undefined) return;
    await getExternalWorkflowHandle(parent.workflowId).signal(gateReachedSignal, { restoreId, gate });
    await condition(() => this.#open.has(gate));
  }
}
