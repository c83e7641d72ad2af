import { CancelledFailure, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type {
  DrillPlan,
  DrillProgress,
  DrillReport,
  DrillRequest,
  DrillScope,
} from '../src/contract/drill.ts';
import { progressQuery } from '../src/contract/messages.ts';
import { restoreWorkflowId } from '../src/contract/names.ts';
import type { TableError } from '../src/contract/outcome.ts';
import type { RestoreState } from '../src/contract/progress.ts';
import { describeDrill } from '../src/restore/drill-details.ts';
import { drillReport, eventOf, type Rehearsed } from '../src/restore/drill-report.ts';
import { sumProgress } from '../src/restore/progress.ts';
import type { PlannedRun } from './carry-out.ts';
import { Control } from './control.ts';
import { dropScratch, notifyDrill, planDrill, recordDrill } from './drill-work.ts';
import { toFailure, toTableError } from './failures.ts';
import { Rehearsal } from './rehearsal.ts';

/** A drill as it goes; each method is a step of the plan of `drill`. */
export class DrillRun implements PlannedRun {
  cancelled = false;
  readonly #request: DrillRequest;
  readonly #drillId = workflowInfo().workflowId.slice(restoreWorkflowId('').length);
  readonly #startedAt = new Date();
  readonly #rehearsal = new Rehearsal(this.#startedAt, () => this.#show());
  readonly #control = new Control(null, {
    state: () => this.#state(),
    onPause: ({ reason, now }) => this.#rehearsal.pause(reason, now),
    onResume: () => this.#rehearsal.resume(),
  });
  #phase: RestoreState = 'planning';
  #plan: DrillPlan | null = null;
  #restored: Rehearsed | null = null;
  /** Milliseconds since the epoch. */
  #verifiedAt: number | null = null;
  #error: TableError | null = null;
  readonly #leftBehind: string[] = [];
  readonly #notices: string[] = [];
  #webhook: DrillReport['webhook'] = null;
  #report: DrillReport | null = null;

  constructor(request: DrillRequest) {
    this.#request = request;
  }

  /** Sets the handlers of messages and queries. */
  listen(): void {
    setHandler(progressQuery, () => this.#progress());
    this.#control.listen(() => this.#show());
    this.#show();
  }

  async plan(): Promise<void> {
    this.#plan = await planDrill(this.#scope);
    this.#notices.push(...this.#plan.notices);
  }

  async restore(): Promise<void> {
    this.#phase = 'running';
    this.#restored = await this.#rehearsal.run(this.#request.source, this.#planOrThrow);
    this.#leftBehind.push(...this.#restored.leftBehind);
    this.#notices.push(...this.#restored.notices);
    this.#error = this.#restored.error;
    if (this.#error === null) this.#verifiedAt = Date.now();
  }

  fail(error: unknown): void {
    this.#error = toTableError(error);
  }

  /** Drops the scratch place, keeps the report, and tells whoever has to know. */
  async finish(): Promise<void> {
    this.#phase = this.cancelled ? 'cancelling' : 'finishing';
    this.#show();
    await this.#drop();
    const endedAt = new Date().toISOString();
    await this.#record(endedAt);
    const event = eventOf(this.#tell(endedAt));
    if (event !== null && !this.cancelled) {
      await this.#notify(event, this.#tell(endedAt));
      await this.#record(endedAt);
    }
    this.#report = this.#tell(endedAt);
    this.#phase = this.cancelled ? 'cancelled' : this.#report.outcome === 'failed' ? 'failed' : 'completed';
    this.#show();
  }

  /** Gives the report, or throws so that Temporal shows the drill as cancelled or failed. */
  end(): DrillReport {
    const report = this.#report ?? this.#tell(new Date().toISOString());
    if (this.cancelled) throw new CancelledFailure('The drill was cancelled.', [report]);
    if (report.outcome !== 'failed') return report;
    // One that failed has an error.
    throw this.#error === null
      ? new TypeError('the drill failed without an error')
      : toFailure(this.#error, report);
  }

  async #drop(): Promise<void> {
    if (this.#plan === null) return;
    const { scratch } = this.#plan;
    try {
      await dropScratch(this.#scope);
    } catch (error) {
      this.#leftBehind.push(scratch);
      this.#notices.push(`${scratch} could not be dropped: ${toTableError(error).message}`);
    }
  }

  /** Keeps the report; what hinders that hinders nothing else. */
  async #record(endedAt: string): Promise<void> {
    try {
      this.#notices.push(...(await recordDrill({ ...this.#scope, report: this.#tell(endedAt) })));
    } catch (error) {
      this.#notices.push(`The drill could not be recorded: ${toTableError(error).message}`);
    }
  }

  async #notify(event: string, report: DrillReport): Promise<void> {
    try {
      if (await notifyDrill({ event, report })) this.#webhook = 'sent';
    } catch (error) {
      this.#webhook = 'failed';
      this.#notices.push(`The webhook could not be told: ${toTableError(error).message}`);
    }
  }

  #tell(endedAt: string): DrillReport {
    return drillReport(
      this.#scope,
      {
        ...{ startedAt: this.#startedAt, restored: this.#restored, verifiedAt: this.#verifiedAt },
        ...{ error: this.#error, leftBehind: this.#leftBehind, notices: this.#notices },
        webhook: this.#webhook,
      },
      endedAt,
    );
  }

  #progress(): DrillProgress {
    const { subject } = this.#request;
    const head = { restoreId: this.#drillId, database: subject, startedAt: this.#startedAt.toISOString() };
    return {
      ...sumProgress({ ...head, state: this.#state(), reason: this.#control.reason }, [], Date.now()),
      restoring: this.#rehearsal.workflowId,
      outcome: this.#report,
    };
  }

  #state(): RestoreState {
    return this.#control.paused && this.#phase === 'running' ? 'paused' : this.#phase;
  }

  #show(): void {
    const { subject } = this.#request;
    setCurrentDetails(describeDrill(subject, this.#state(), this.#plan?.scratch ?? null, this.#report));
  }

  get #scope(): DrillScope {
    return { drillId: this.#drillId, request: this.#request };
  }

  get #planOrThrow(): DrillPlan {
    if (this.#plan === null) throw new TypeError('the drill has no plan');
    return this.#plan;
  }
}
