import { type ChildWorkflowHandle, isCancellation, uuid4, type Workflow } from '@temporalio/workflow';
import type { DrillPlan, DrillSource } from '../src/contract/drill.ts';
import type { DumpOutcome } from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { pauseSignal, resumeSignal } from '../src/contract/messages.ts';
import { restoreWorkflowId, workflowTypes } from '../src/contract/names.ts';
import type { RestoreOutcome } from '../src/contract/outcome.ts';
import type { RestoreRequest } from '../src/contract/restore-request.ts';
import { summaryText } from '../src/restore/clip.ts';
import type { Rehearsed } from '../src/restore/drill-report.ts';
import { detailOf } from './failures.ts';
import { startReachableChild } from './start-child.ts';

/** The restore that a drill is about: into a scratch place, by the very workflow that would restore in earnest. */
export class Rehearsal {
  readonly #startedAt: Date;
  readonly #begun: () => void;
  #child: ChildWorkflowHandle<Workflow> | null = null;

  /**
   * @param startedAt of the drill, by which its restore is named
   * @param begun called once the restore runs
   */
  constructor(startedAt: Date, begun: () => void) {
    this.#startedAt = startedAt;
    this.#begun = begun;
  }

  /** Of the restore; null while there is none. */
  get workflowId(): string | null {
    return this.#child?.workflowId ?? null;
  }

  pause(reason: string | null, now: boolean): void {
    void this.#child?.signal(pauseSignal, reason ?? undefined, now);
  }

  resume(): void {
    void this.#child?.signal(resumeSignal);
  }

  run(source: DrillSource, plan: DrillPlan): Promise<Rehearsed> {
    return source.kind === 'dump' ? this.#dump(source.request, plan) : this.#archives(source.request, plan);
  }

  /** The newest dump, into a database of its own. */
  async #dump(asked: DumpRequest, { scratch }: DrillPlan): Promise<Rehearsed> {
    const restoreId = this.#newRestoreId();
    // As in earnest: loaded beside by several sessions, verified, then renamed.
    const into = { database: scratch, into: scratch, create: true, mode: 'swap', keepOldSeconds: 0 } as const;
    const outcome = await this.#restore<DumpOutcome>(workflowTypes.restoreDump, scratch, {
      ...asked,
      restoreId,
      ...into,
    });
    const { dump, report, error, passedOver, notices, leftBehind } = outcome;
    return {
      report,
      rows: report?.after.rows ?? 0,
      backup: dump?.key ?? null,
      takenAt: dump === null ? null : (dump.takenAt ?? dump.modifiedAt),
      ...{ error, leftBehind },
      notices: [...passedOver.map(({ key, reason }) => `${key} is not good: ${reason}`), ...notices],
      isWhole: report?.outcome === 'verified',
    };
  }

  /** The archives of tables, into a schema of their own; loading proves checksums and counts. */
  async #archives(asked: RestoreRequest, { scratch, newest }: DrillPlan): Promise<Rehearsed> {
    const restoreId = this.#newRestoreId();
    // Without tables it would go into those that are configured.
    const tables = (asked.tables ?? []).map((table) => ({ ...table, intoSchema: scratch }));
    const options = { ...asked.options, createTable: true, rehearsal: true };
    const outcome = await this.#restore<RestoreOutcome>(workflowTypes.restoreAll, scratch, {
      ...asked,
      ...{ restoreId, tables, options },
    });
    const { restored, failed } = outcome.tally.archives;
    const [first] = outcome.tables.flatMap((table) => [
      ...(table.error ? [table.error] : []),
      ...table.failures,
    ]);
    return {
      report: null,
      rows: outcome.tally.rows.inserted,
      backup: newest?.key ?? null,
      takenAt: newest?.takenAt ?? null,
      error: outcome.error ?? (outcome.state === 'completed' ? null : (first ?? null)),
      leftBehind: [],
      notices: outcome.tables.flatMap(({ notices }) => notices),
      isWhole: restored > 0 && failed === 0,
    };
  }

  /** Has it restored by a child, whose outcome it gives also where that failed. */
  async #restore<Outcome extends DumpOutcome | RestoreOutcome>(
    type: string,
    scratch: string,
    request: { readonly restoreId: string },
  ): Promise<Outcome> {
    const child = await startReachableChild<(asked: typeof request) => Promise<Outcome>>(type, {
      workflowId: restoreWorkflowId(request.restoreId),
      args: [request],
      staticSummary: summaryText(`rehearsal in ${scratch}`),
      // What was begun is undone before the scratch place is dropped.
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    });
    this.#child = child;
    this.#begun();
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

  /** As clients make them: the time of the drill, and what tells two of one second apart. */
  #newRestoreId(): string {
    const stamp = this.#startedAt.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
    return `${stamp}-${uuid4().slice(0, 6)}`;
  }
}
