import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  log,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { progressQuery } from '../src/contract/messages.ts';
import { snapshotWorkflowId, workflowTypes } from '../src/contract/names.ts';
import type { TableError } from '../src/contract/outcome.ts';
import { isEnded, type RestoreState } from '../src/contract/progress.ts';
import type { SnapshotOutcome, SnapshotRequest } from '../src/contract/snapshot.ts';
import type {
  MergedSnapshot,
  SnapshotFailure,
  SnapshotPlan,
  SnapshotProgress,
  SnapshotRestoreActivities,
  SnapshotRestoreStep,
} from '../src/contract/snapshot-restore.ts';
import { summaryText } from '../src/restore/clip.ts';
import { Notices } from '../src/restore/notices.ts';
import { describeSnapshot } from '../src/restore/snapshot-details.ts';
import { snapshotProgress, tableSteps } from '../src/restore/snapshot-progress.ts';
import { carryOut, endState, endWith } from './carry-out.ts';
import type { createSnapshot } from './create-snapshot.ts';
import { toFailure, toTableError } from './failures.ts';
import { PausableSteps } from './pausable-steps.ts';
import { SearchState } from './search-attributes.ts';
import { startReachableChild } from './start-child.ts';

/** The work on snapshots; how long a worker may be silent is said by the request. */
function activitiesOf({ heartbeatSeconds = 20 }: SnapshotRequest) {
  const retry = { initialInterval: '500ms', maximumInterval: '10s' } as const;
  const long = {
    startToCloseTimeout: '24h',
    heartbeatTimeout: heartbeatSeconds * 1000,
    // What an attempt has begun has to be over before anything else is done about it.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  } as const;
  const { checkSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    ...long,
    // A wrong host is told of in time; an object is gone through to its end, which takes longer.
    retry: { ...retry, maximumAttempts: 8 },
  });
  const { stageSnapshot, mergeSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    ...long,
    retry: { ...retry, maximumAttempts: 12 },
  });
  const { finishSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    ...long,
    retry: { initialInterval: '1s', maximumInterval: '1 minute', maximumAttempts: 60 },
  });
  // Of a restore that could not begin, there may be nothing that answers, nor anything to remove.
  const { finishSnapshot: finishUnbegun } = proxyActivities<SnapshotRestoreActivities>({
    ...long,
    scheduleToCloseTimeout: '1 minute',
    retry,
  });
  const { recordSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    startToCloseTimeout: '30s',
    scheduleToCloseTimeout: '2 minutes',
    retry,
  });
  const { renewSnapshot } = proxyActivities<SnapshotRestoreActivities>({
    startToCloseTimeout: '30s',
    retry: { initialInterval: '10s', backoffCoefficient: 1 },
  });
  return {
    ...{ checkSnapshot, stageSnapshot, mergeSnapshot, finishSnapshot, finishUnbegun },
    ...{ recordSnapshot, renewSnapshot },
  };
}

/** A crash of PostgreSQL empties the stage; so often it is filled anew. */
const mostStagings = 5;

/**
 * Brings tables back to a snapshot, all of them or none.
 *
 *     check ──> snapshot ──> stage ──> merge ──> finish
 *
 * check     entered at the start; opens the snapshot, sees that it can be restored, and takes the tables. One that was
 *           merged already, by a run that Temporal has lost, goes to finish.
 * snapshot  takes a snapshot of what is there, by which the restore can be undone.
 * stage     copies the rows into tables of their own. Nothing of the tables was touched up to its end.
 * merge     one transaction: old state or new state. It leads back to stage where PostgreSQL has crashed meanwhile.
 * finish    entered by an error or a cancel too: removes the stage, looks after foreign keys, lets the tables go, and
 *           finds out whether the merge was committed, whatever was heard of it.
 *
 * A pause takes hold before the next step; with `--now` the step under way is broken off, and begun again at resume. The
 * tables stay held, and however long it takes, its history stays as short as it is.
 */
export async function restoreSnapshot(request: SnapshotRequest): Promise<SnapshotOutcome> {
  const restore = new SnapshotRun(request);
  restore.listen();
  await carryOut(restore, async () => {
    // See that it can be done, and keep others out.
    await restore.check();
    // Keep what is there.
    await restore.takeSnapshot();
    // Have the rows beside their tables, and bring them in.
    await restore.stageAndMerge();
  });
  return restore.end();
}

/** The state of {@link restoreSnapshot}; each method is a step of its plan. */
class SnapshotRun {
  cancelled = false;
  #error: TableError | null = null;
  readonly #request: SnapshotRequest;
  readonly #activities: ReturnType<typeof activitiesOf>;
  readonly #startedAt = new Date();
  #endedAt: Date | null = null;
  readonly #searchState = new SearchState(false, null);
  #phase: RestoreState = 'planning';
  #step: SnapshotRestoreStep = 'check';
  readonly #pausable = new PausableSteps({
    state: () => this.#state(),
    onPaused: () => this.#record('paused'),
    onResumed: () => this.#record(this.#phase),
    show: () => this.#show(),
  });
  #plan: SnapshotPlan | null = null;
  #preSnapshotId: string | null = null;
  #merged: MergedSnapshot | null = null;
  readonly #notices = new Notices();
  #keeping: CancellationScope | null = null;
  #outcome: SnapshotOutcome | null = null;

  constructor(request: SnapshotRequest) {
    this.#request = request;
    this.#activities = activitiesOf(request);
  }

  /** Sets the handlers of messages and queries. */
  listen(): void {
    setHandler(progressQuery, () => this.#progress());
    this.#pausable.listen();
    this.#show();
  }

  async check(): Promise<void> {
    const { restoreId, database } = this.#request;
    this.#plan = await this.#do('check', () => this.#activities.checkSnapshot(this.#request));
    if (this.#plan.searchAttributes) {
      this.#searchState.register({ restoreId, database, state: this.#state() });
    }
    this.#preSnapshotId = this.#plan.preSnapshotId;
    this.#notices.add(...this.#plan.notices);
    this.#phase = 'running';
    this.#keepTables(this.#plan);
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
      const staged = await this.#do('stage', () => this.#activities.stageSnapshot(input));
      this.#notices.add(...staged.notices);
      this.#merged = await this.#do('merge', () => this.#activities.mergeSnapshot({ ...input, staged }));
      if (this.#merged !== null) return this.#notices.add(...this.#merged.notices);
      if (stagings === mostStagings) throw stageLost();
    }
  }

  fail(error: unknown): void {
    this.#error = toTableError(error);
  }

  async finish(): Promise<void> {
    this.#enter('finish');
    this.#phase = this.cancelled ? 'cancelling' : 'finishing';
    this.#show();
    await this.#tidyUp();
    this.#keeping?.cancel();
    this.#endedAt = new Date();
    this.#notices.add(...(await this.#record(this.#endState())));
    this.#phase = this.#endState();
    this.#outcome = this.#tell();
    this.#show();
    await condition(allHandlersFinished);
  }

  /** Gives the outcome, or throws so that Temporal shows the restore as cancelled or failed. */
  end(): SnapshotOutcome {
    return endWith(this.#outcome ?? this.#tell());
  }

  #do<T>(step: SnapshotRestoreStep, work: () => Promise<T>): Promise<T> {
    this.#enter(step);
    return this.#pausable.do(work);
  }

  /** Shows in the database that the tables are held, until the restore ends: by one activity that is tried on and on. */
  #keepTables({ held, isMerged }: SnapshotPlan): void {
    if (isMerged) return;
    // Who cancels the restore does not end it: what was begun has to be over before.
    const keeping = new CancellationScope({
      cancellable: true,
      parent: new CancellationScope({ cancellable: false }),
    });
    this.#keeping = keeping;
    keeping
      .run(() => this.#activities.renewSnapshot({ request: this.#request, held }))
      .catch((error: unknown) => {
        if (isCancellation(error)) return;
        // Whether they are still held is seen when the rows are committed.
        log.info('The lease of the tables could not be renewed', { error: String(error) });
      });
  }

  async #tidyUp(): Promise<void> {
    const isBegun = this.#plan !== null;
    const { finishSnapshot, finishUnbegun } = this.#activities;
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
    if (this.#error !== null) this.#notices.add(this.#error.message);
    this.#error = null;
  }

  #failure(): SnapshotFailure | null {
    if (!this.cancelled) return this.#error;
    return { code: 'Cancelled', message: 'The restore was cancelled.', hint: 'Restore again.' };
  }

  /** Writes how the restore stands; what hinders that hinders nothing else. */
  async #record(state: RestoreState): Promise<readonly string[]> {
    const outcome = isEnded(state) ? this.#tell() : null;
    try {
      await this.#activities.recordSnapshot({ request: this.#request, state, outcome });
      return [];
    } catch (error) {
      if (isCancellation(error)) throw error;
      return [`The record of the restore could not be written: ${toTableError(error).message}`];
    }
  }

  #enter(step: SnapshotRestoreStep): void {
    this.#step = step;
    this.#show();
  }

  get #planOrThrow(): SnapshotPlan {
    if (this.#plan === null) throw new TypeError('the restore has no plan');
    return this.#plan;
  }

  #state(): RestoreState {
    return this.#pausable.stateIn(this.#phase);
  }

  #endState(): SnapshotOutcome['state'] {
    return endState(this.cancelled, this.#error);
  }

  #tell(): SnapshotOutcome {
    const { restoreId, database, source, strategy } = this.#request;
    const endedAt = this.#endedAt ?? new Date();
    return {
      ...{ restoreId, state: this.#endState(), database, source, strategy },
      preSnapshotId: this.#preSnapshotId,
      tables: this.#merged?.tables ?? [],
      transactionId: this.#merged?.transactionId ?? null,
      ...{ notices: this.#notices.all, error: this.#error },
      startedAt: this.#startedAt.toISOString(),
      endedAt: endedAt.toISOString(),
      seconds: (endedAt.getTime() - this.#startedAt.getTime()) / 1000,
    };
  }

  #progress(): SnapshotProgress {
    const { tables = [], keys = [], locks = [] } = this.#plan ?? {};
    const end = this.#outcome === null ? null : this.#endState() === 'completed' ? 'completed' : 'failed';
    return snapshotProgress(
      this.#request,
      { state: this.#state(), reason: this.#pausable.reason, startedAt: this.#startedAt.toISOString() },
      {
        ...{ snapshotStep: this.#step, steps: tableSteps(tables, this.#step, end), keys, locks },
        ...{ preSnapshotId: this.#preSnapshotId, notices: this.#notices.all, outcome: this.#outcome },
      },
      this.#merged,
      Date.now(),
    );
  }

  #show(): void {
    const progress = this.#progress();
    setCurrentDetails(describeSnapshot(progress));
    this.#searchState.set(progress.state);
  }
}

function stageLost(): Error {
  return toFailure({
    code: 'DatabaseUnavailable',
    message: `The staged rows were lost ${mostStagings} times before they could be merged.`,
    hint: 'PostgreSQL empties unlogged tables when it crashes: see why it does in its log, then restore again.',
  });
}
