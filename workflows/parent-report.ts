import { getExternalWorkflowHandle, log, workflowInfo } from '@temporalio/workflow';
import { tableCancelledSignal, tableProgressSignal } from '../src/contract/messages.ts';
import type { TableOutcome } from '../src/contract/outcome.ts';
import type { TableProgress } from '../src/contract/progress.ts';
import { SignalLine } from './signal-line.ts';

/** A restore hears at most so often how far a table is, in milliseconds: each time is four events of its history. */
const interval = 2_000;

/** ... and only when another tenth of the archives is done. */
const step = 0.1;

/** Failures that travel each time; the outcome has more. */
const failuresTold = 3;

/** Tells the restore that a table belongs to how it goes. */
export class ParentReport {
  #told: TableProgress | null = null;
  #toldAt = Date.now();
  readonly #line = new SignalLine();

  /** Tells it when enough has changed; whether it arrives is of no consequence. */
  progress(progress: TableProgress): void {
    if (!this.#isDue(progress)) return;
    this.#told = progress;
    this.#toldAt = Date.now();
    const told = { ...progress, failures: progress.failures.slice(0, failuresTold) };
    const parent = this.#parent();
    if (parent !== null) this.#line.send(() => parent.signal(tableProgressSignal, told));
  }

  /** A cancelled workflow has no result, so what was done until then goes as a signal. */
  async cancelled(outcome: TableOutcome): Promise<void> {
    try {
      await this.#parent()?.signal(tableCancelledSignal, outcome);
    } catch (error) {
      // The parent was terminated; nobody asks any more.
      log.warn('The restore is gone', { error: String(error) });
    }
  }

  #isDue({ state, archives }: TableProgress): boolean {
    // Its beginning and its end are known to the parent anyway.
    if (state !== 'running' && state !== 'pausing' && state !== 'paused') return false;
    const told = this.#told;
    if (state !== (told?.state ?? 'running')) return true;
    const more = archives.done - (told?.archives.done ?? 0);
    // Without a total, once it has doubled.
    const enough = archives.total === null ? (told?.archives.done ?? 0) : archives.total * step;
    return more > 0 && more >= enough && Date.now() - this.#toldAt >= interval;
  }

  #parent() {
    const { parent } = workflowInfo();
    return parent === undefined ? null : getExternalWorkflowHandle(parent.workflowId);
  }
}
