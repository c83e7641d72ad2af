import {
  CancelledFailure,
  type ChildWorkflowHandle,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  uuid4,
  type Workflow,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  DrillActivities,
  DrillPlan,
  DrillProgress,
  DrillReport,
  DrillRequest,
  DrillScope,
} from '../src/contract/drill.ts';
import type { DumpOutcome, DumpReport } from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { pauseSignal, progressQuery, resumeSignal } from '../src/contract/messages.ts';
import { restoreWorkflowId, workflowTypes } from '../src/contract/names.ts';
import type { RestoreOutcome, TableError } from '../src/contract/outcome.ts';
import type { RestoreState } from '../src/contract/progress.ts';
import type { RestoreRequest } from '../src/contract/restore-request.ts';
import { eventOf, missedObjectives, outcomeOfError } from '../src/restore/drill.ts';
import { sumProgress } from '../src/restore/progress.ts';
import { carryOut } from './carry-out.ts';
import { Control } from './control.ts';
import { detailOf, toFailure, toTableError } from './failures.ts';
import { startReachableChild } from './start-child.ts';

const retry = { initialInterval: '500ms', maximumInterval: '10s' } as const;

const { planDrill, recordDrill } = proxyActivities<DrillActivities>({
  startToCloseTimeout: '2 minutes',
  scheduleToCloseTimeout: '10 minutes',
  retry,
});
const { dropScratch } = proxyActivities<DrillActivities>({
  startToCloseTimeout: '10 minutes',
  scheduleToCloseTimeout: '1 hour',
  retry,
});
// A receiver that is down for a while is told all the same.
const { notifyDrill } = proxyActivities<DrillActivities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '15 minutes',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '2 minutes' },
});

/**
 * Rehearses a restore: the newest dump of a service, or the archives of a table, into a scratch place, by the very
 * workflow that would restore it in earnest. The clock runs from the start until it is verified.
 */
export async function drill(request: DrillRequest): Promise<DrillReport> {
  const run = new DrillRun(request);
  run.listen();
  await carryOut(run, async () => {
    // Name the scratch place.
    await run.plan();
    // Restore into it and verify, as in earnest.
    await run.restore();
  });
  return run.end();
}

/** What a restore brought, of either kind. */
interface Restored {
  readonly report: DumpReport | null;
  readonly rows: number;
  readonly backup: string | null;
  readonly takenAt: string | null;
  readonly error: TableError | null;
  readonly notices: readonly string[];
  /** All of it was looked at. */
  readonly isWhole: boolean;
}

/** The state of {@link drill}; each method is a step of its plan. */
class DrillRun {
  cancelled = false;
  readonly #request: DrillRequest;
  readonly #drillId = workflowInfo().workflowId.slice(restoreWorkflowId('').length);
  readonly #startedAt = new Date();
  readonly #control: Control;
  #phase: RestoreState = 'planning';
  #plan: DrillPlan | null = null;
  #child: ChildWorkflowHandle<Workflow> | null = null;
  #restored: Restored | null = null;
  /** Milliseconds since the epoch. */
  #verifiedAt: number | null = null;
  #error: TableError | null = null;
  readonly #leftBehind: string[] = [];
  readonly #notices: string[] = [];
  #webhook: DrillReport['webhook'] = null;
  #report: DrillReport | null = null;

  constructor(request: DrillRequest) {
    this.#request = request;
    this.#control = new Control(null, {
      state: () => this.#state(),
      onPause: ({ reason, now }) => void this.#child?.signal(pauseSignal, reason ?? undefined, now),
      onResume: () => void this.#child?.signal(resumeSignal),
    });
  }

  listen(): void {
    setHandler(progressQuery, () => this.#progress());
    this.#control.listen(() => this.#show());
    this.#show();
  }

  async plan(): Promise<void> {
    this.#plan = await planDrill({ drillId: this.#drillId, request: this.#request });
    this.#notices.push(...this.#plan.notices);
  }

  async restore(): Promise<void> {
    this.#phase = 'running';
    const { source } = this.#request;
    this.#restored =
      source.kind === 'dump' ? await this.#dump(source.request) : await this.#archives(source.request);
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

  /** The newest dump, into a database of its own. */
  async #dump(asked: DumpRequest): Promise<Restored> {
    const restoreId = this.#newRestoreId();
    const scratch = this.#scratch;
    // As in earnest: loaded beside by several sessions, verified, then renamed.
    const into = { database: scratch, into: scratch, create: true, mode: 'swap', keepOldSeconds: 0 } as const;
    const outcome = await this.#run<DumpOutcome>(workflowTypes.restoreDump, {
      ...asked,
      restoreId,
      ...into,
    });
    const { dump, report, error, passedOver, notices, leftBehind } = outcome;
    this.#leftBehind.push(...leftBehind);
    return {
      report,
      rows: report?.after.rows ?? 0,
      backup: dump?.key ?? null,
      takenAt: dump === null ? null : (dump.takenAt ?? dump.modifiedAt),
      error,
      notices: [...passedOver.map(({ key, reason }) => `${key} is not good: ${reason}`), ...notices],
      isWhole: report?.outcome === 'verified',
    };
  }

  /** The archives of tables, into a schema of their own; loading proves checksums and counts. */
  async #archives(asked: RestoreRequest): Promise<Restored> {
    const restoreId = this.#newRestoreId();
    // Without tables it would go into those that are configured.
    const tables = (asked.tables ?? []).map((table) => ({ ...table, intoSchema: this.#scratch }));
    const options = { ...asked.options, createTable: true, rehearsal: true };
    const outcome = await this.#run<RestoreOutcome>(workflowTypes.restoreAll, {
      ...asked,
      ...{ restoreId, tables, options },
    });
    const { restored, failed } = outcome.tally.archives;
    const [first] = outcome.tables.flatMap((table) => [
      ...(table.error ? [table.error] : []),
      ...table.failures,
    ]);
    const newest = this.#plan?.newest ?? null;
    return {
      report: null,
      rows: outcome.tally.rows.inserted,
      backup: newest?.key ?? null,
      takenAt: newest?.takenAt ?? null,
      error: outcome.error ?? (outcome.state === 'completed' ? null : (first ?? null)),
      notices: outcome.tables.flatMap(({ notices }) => notices),
      isWhole: restored > 0 && failed === 0,
    };
  }

  /** Has it restored by a child, whose outcome it gives also where that failed. */
  async #run<Outcome extends DumpOutcome | RestoreOutcome>(
    type: string,
    request: { readonly restoreId: string },
  ): Promise<Outcome> {
    const child = await startReachableChild<(asked: typeof request) => Promise<Outcome>>(type, {
      workflowId: restoreWorkflowId(request.restoreId),
      args: [request],
      // What was begun is undone before the scratch place is dropped.
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    });
    this.#child = child;
    this.#show();
    try {
      return await child.result();
    } catch (error) {
      const outcome = isCancellation(error) ? null : detailOf<Outcome>(error);
      if (outcome === null) throw error;
      return outcome;
    } finally {
      this.#child = null;
    }
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
    const { subject, objectives } = this.#request;
    const { backup = null, takenAt = null, rows = 0, report = null, isWhole = false } = this.#restored ?? {};
    const started = this.#startedAt.getTime();
    const outcome =
      this.#error !== null ? outcomeOfError(this.#error) : isWhole ? 'verified' : 'inconclusive';
    const rtoSeconds =
      outcome === 'verified' && this.#verifiedAt !== null ? (this.#verifiedAt - started) / 1000 : null;
    const rpoSeconds = takenAt === null ? null : Math.max((started - Date.parse(takenAt)) / 1000, 0);
    return {
      ...{ drillId: this.#drillId, subject, outcome },
      ...{ startedAt: this.#startedAt.toISOString(), endedAt },
      ...{ backup, takenAt, rtoSeconds, rpoSeconds, objectives },
      missed: missedObjectives(objectives, rtoSeconds, rpoSeconds),
      ...{ rows, report, error: this.#error, leftBehind: this.#leftBehind },
      notices: [...new Set(this.#notices)],
      webhook: this.#webhook,
    };
  }

  #progress(): DrillProgress {
    const { subject } = this.#request;
    const head = { restoreId: this.#drillId, database: subject, startedAt: this.#startedAt.toISOString() };
    return {
      ...sumProgress({ ...head, state: this.#state(), reason: this.#control.reason }, [], Date.now()),
      restoring: this.#child?.workflowId ?? null,
      outcome: this.#report,
    };
  }

  #state(): RestoreState {
    return this.#control.paused && this.#phase === 'running' ? 'paused' : this.#phase;
  }

  #show(): void {
    const { subject } = this.#request;
    const outcome = this.#report === null ? this.#state() : this.#report.outcome;
    setCurrentDetails(
      `**${outcome}** drill of ${subject}${this.#plan === null ? '' : ` in \`${this.#scratch}\``}`,
    );
  }

  get #scope(): DrillScope {
    return { drillId: this.#drillId, request: this.#request };
  }

  get #scratch(): string {
    if (this.#plan === null) throw new TypeError('the drill has no plan');
    return this.#plan.scratch;
  }

  /** As clients make them: the time of the drill, and what tells two of one second apart. */
  #newRestoreId(): string {
    const stamp = this.#startedAt.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
    return `${stamp}-${uuid4().slice(0, 6)}`;
  }
}
