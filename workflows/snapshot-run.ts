import { allHandlersFinished, condition, isCancellation, ParentClosePolicy } from '@temporalio/workflow';
import { snapshotWorkflowId, workflowTypes } from '../src/contract/names.ts';
import { isEnded, type RestoreState } from '../src/contract/progress.ts';
import type { SnapshotOutcome, SnapshotRequest } from '../src/contract/snapshot.ts';
import type {
  MergedSnapshot,
  SnapshotFailure,
  SnapshotPlan,
  SnapshotProgress,
  SnapshotRestoreStep,
} from '../src/contract/snapshot-restore.ts';
import { summaryText } from '../src/restore/clip.ts';
import { Notices } from '../src/restore/notices.ts';
import { describeSnapshot } from '../src/restore/snapshot-details.ts';
import { snapshotProgress, tableSteps } from '../src/restore/snapshot-progress.ts';
import type { createSnapshot } from './create-snapshot.ts';
import { toFailure, toTableError } from './failures.ts';
import { PausableSteps } from './pausable-steps.ts';
import { PlannedRestore } from './planned-restore.ts';
import { SnapshotHold } from './snapshot-hold.ts';
import { type SnapshotWork, snapshotWork } from './snapshot-work.ts';
import { startReachableChild } from './start-child.ts';

/** A crash of PostgreSQL empties the stage; so often it is filled anew. */
const mostStagings = 5;

/** A restore of a snapshot as it goes; each method is a step of the plan of `restoreSnapshot`. */
export class SnapshotRun extends PlannedRestore<SnapshotOutcome, SnapshotProgress> {
  readonly #request: SnapshotRequest;
  readonly #work: SnapshotWork;
  readonly #hold = new SnapshotHold();
  #endedAt: Date | null = null;
  #step: SnapshotRestoreStep = 'check';
  #plan: SnapshotPlan | null = null;
  #preSnapshotId: string | null = null;
  #merged: MergedSnapshot | null = null;
  readonly #notices = new Notices();
  protected readonly control = new PausableSteps({
    state: () => this.state(),
    onPaused: () => this.#record('paused'),
    onResumed: () => this.#record(this.phase),
    show: () => this.show(),
  });

  constructor(request: SnapshotRequest) {
    super();
    this.#request = request;
    this.#work = snapshotWork(request);
  }

  async check(): Promise<void> {
    this.#plan = await this.#do('check', () => this.#work.checkSnapshot(this.#request));
    if (this.#plan.searchAttributes) this.register(this.#request);
    this.#preSnapshotId = this.#plan.preSnapshotId;
    this.#notices.add(...this.#plan.notices);
    this.phase = 'running';
    if (!this.#plan.isMerged) this.#hold.keep(this.#request, this.#plan, this.#work);
  }

  async takeSnapshot(): Promise<void> {
    const { preSnapshot } = this.#planOrThrow;
    if (preSnapshot === null) return;
    await this.#do('snapshot', async () => {
      const child = await startReachableChild<typeof createSnapshot>(workflowTypes.createSnapshot, {
        workflowId: snapshotWorkflowId(preSnapshot.id),
        args: [preSnapshot],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: summaryText(preSnapshot.name),
      });
      await child.result();
    });
  }

  /** Also once more, where the stage was lost before the merge. */
  async stageAndMerge(): Promise<void> {
    if (this.#planOrThrow.isMerged) return;
    const input = { request: this.#request, held: this.#planOrThrow.held };
    for (let stagings = 1; ; stagings += 1) {
      const staged = await this.#do('stage', () => this.#work.stageSnapshot(input));
      this.#notices.add(...staged.notices);
      this.#merged = await this.#do('merge', () => this.#work.mergeSnapshot({ ...input, staged }));
      if (this.#merged !== null) return this.#notices.add(...this.#merged.notices);
      if (stagings === mostStagings) throw stageLost();
    }
  }

  async finish(): Promise<void> {
    this.#enter('finish');
    this.phase = this.cancelled ? 'cancelling' : 'finishing';
    this.show();
    await this.#tidyUp();
    this.#hold.letGo();
    this.#endedAt = new Date();
    this.#notices.add(...(await this.#record(this.endState())));
    this.phase = this.endState();
    this.outcome = this.tell();
    this.show();
    await condition(allHandlersFinished);
  }

  /** Does a step once the restore is not paused. */
  #do<T>(step: SnapshotRestoreStep, work: () => Promise<T>): Promise<T> {
    this.#enter(step);
    return this.control.do(work);
  }

  async #tidyUp(): Promise<void> {
    const isBegun = this.#plan !== null;
    const { finishSnapshot, finishUnbegun } = this.#work;
    try {
      const { merged, notices } = await (isBegun ? finishSnapshot : finishUnbegun)({
        request: this.#request,
        ...{ preSnapshotId: this.#preSnapshotId, failure: this.#failure() },
      });
      this.#notices.add(...notices);
      if (merged === null) this.#preSnapshotId = null;
      else this.#wasMerged(merged);
    } catch (error) {
      const { message } = toTableError(error);
      if (isBegun) this.#notices.add(`What the restore has made for itself could not be removed: ${message}`);
    }
  }

  /** Who cancels what is committed comes too late, and what fails behind the commit undoes nothing. */
  #wasMerged(merged: MergedSnapshot): void {
    this.#merged ??= merged;
    this.cancelled = false;
    if (this.error !== null) this.#notices.add(this.error.message);
    this.error = null;
  }

  #failure(): SnapshotFailure | null {
    if (!this.cancelled) return this.error;
    return { code: 'Cancelled', message: 'The restore was cancelled.', hint: 'Restore again.' };
  }

  /** Writes how the restore stands; what hinders that hinders nothing else. */
  async #record(state: RestoreState): Promise<readonly string[]> {
    const outcome = isEnded(state) ? this.tell() : null;
    try {
      await this.#work.recordSnapshot({ request: this.#request, state, outcome });
      return [];
    } catch (error) {
      if (isCancellation(error)) throw error;
      return [`The record of the restore could not be written: ${toTableError(error).message}`];
    }
  }

  #enter(step: SnapshotRestoreStep): void {
    this.#step = step;
    this.show();
  }

  get #planOrThrow(): SnapshotPlan {
    if (this.#plan === null) throw new TypeError('the restore has no plan');
    return this.#plan;
  }

  protected tell(): SnapshotOutcome {
    const { restoreId, database, source, strategy } = this.#request;
    const endedAt = this.#endedAt ?? new Date();
    return {
      ...{ restoreId, state: this.endState(), database, source, strategy },
      preSnapshotId: this.#preSnapshotId,
      tables: this.#merged?.tables ?? [],
      transactionId: this.#merged?.transactionId ?? null,
      ...{ notices: this.#notices.all, error: this.error },
      startedAt: this.startedAt.toISOString(),
      endedAt: endedAt.toISOString(),
      seconds: (endedAt.getTime() - this.startedAt.getTime()) / 1000,
    };
  }

  protected progress(): SnapshotProgress {
    const { tables = [], keys = [], locks = [] } = this.#plan ?? {};
    const end = this.outcome === null ? null : this.endState() === 'completed' ? 'completed' : 'failed';
    return snapshotProgress(
      this.#request,
      this.head(),
      {
        ...{ snapshotStep: this.#step, steps: tableSteps(tables, this.#step, end), keys, locks },
        ...{ preSnapshotId: this.#preSnapshotId, notices: this.#notices.all, outcome: this.outcome },
      },
      this.#merged,
      Date.now(),
    );
  }

  protected describe(progress: SnapshotProgress): string {
    return describeSnapshot(progress);
  }
}

function stageLost(): Error {
  return toFailure({
    code: 'DatabaseUnavailable',
    message: `The staged rows were lost ${mostStagings} times before they could be merged.`,
    hint: 'PostgreSQL empties unlogged tables when it crashes: see why it does in its log, then restore again.',
  });
}
