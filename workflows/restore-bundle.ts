import {
  allHandlersFinished,
  condition,
  proxyActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { Activities } from '../src/contract/activities.ts';
import type { BundleContents, BundleOutcome, BundleTally } from '../src/contract/bundle-activities.ts';
import { progressQuery } from '../src/contract/messages.ts';
import type { TableError } from '../src/contract/outcome.ts';
import { isEnded, type RestoreProgress, type RestoreState } from '../src/contract/progress.ts';
import type { BundleRequest } from '../src/contract/run-request.ts';
import { bundleProgress, emptyBundleTally, sumBundleTallies } from '../src/restore/bundle-tally.ts';
import { describeRestore } from '../src/restore/details.ts';
import { carryOut, endState, endWith } from './carry-out.ts';
import { stackOf, toTableError } from './failures.ts';
import { PausableSteps } from './pausable-steps.ts';
import { SearchState } from './search-attributes.ts';

/** The work of a bundle; how long a worker may be silent is said by the request. */
function activitiesOf({ heartbeatSeconds = 20 }: BundleRequest) {
  const heartbeatTimeout = heartbeatSeconds * 1000;
  const retry = { initialInterval: '500ms', maximumInterval: '10s' } as const;
  const { fetchBundle, inspectBundle } = proxyActivities<Activities>({
    startToCloseTimeout: '24h',
    heartbeatTimeout,
    retry: { ...retry, maximumAttempts: 12 },
  });
  const { importDescribe, importModels, importWhole, finishBundle } = proxyActivities<Activities>({
    startToCloseTimeout: '24h',
    heartbeatTimeout,
    retry: { ...retry, maximumAttempts: 100 },
    // What was committed has to be known before the end is told.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  });
  return { fetchBundle, inspectBundle, importDescribe, importModels, importWhole, finishBundle };
}

const { recordRun } = proxyActivities<Activities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '10 minutes',
  retry: { initialInterval: '500ms', maximumInterval: '30s' },
});

/** What a run tells of an import in one transaction that came to no end. */
const rolledBack = { phase: 'rolled_back', records_imported: 0, records_skipped: 0 };

/** Restores a bundle: checks it, makes its models, loads their records, reports. */
export async function restoreBundle(request: BundleRequest): Promise<BundleOutcome> {
  const restore = new BundleRun(request);
  restore.listen();
  await carryOut(restore, async () => {
    // Bring it into the store, where it lies elsewhere.
    await restore.fetch();
    // Check the file and what it requires.
    await restore.inspect();
    if (request.validateOnly) return;
    // Make the models that are missing and load all of them: at once, or one after another.
    await restore.importBundle();
    // Move sequences, bring statistics up to date.
    await restore.settle();
  });
  return restore.end();
}

/** The state of {@link restoreBundle}; each method is a step of its plan. */
class BundleRun {
  cancelled = false;
  #error: TableError | null = null;
  #stack = '';
  #isRolledBack = false;
  #request: BundleRequest;
  readonly #activities: ReturnType<typeof activitiesOf>;
  readonly #startedAt = new Date();
  readonly #searchState = new SearchState(false, null);
  #phase: RestoreState = 'planning';
  #contents: BundleContents | null = null;
  #made = { modelsCreated: 0, fieldsCreated: 0 };
  #tally: BundleTally = emptyBundleTally;
  readonly #pausable = new PausableSteps({
    state: () => this.#state(),
    onPaused: () => recordRun({ runId: this.#request.restoreId, state: 'paused' }),
    onResumed: () => recordRun({ runId: this.#request.restoreId, state: this.#phase }),
    show: () => this.#show(),
  });

  constructor(request: BundleRequest) {
    this.#request = request;
    this.#activities = activitiesOf(request);
  }

  /** Sets the handlers of messages and queries. */
  listen(): void {
    setHandler(progressQuery, () => this.#progress());
    this.#pausable.listen();
    this.#show();
  }

  /** From here on it is read from the store alone. */
  async fetch(): Promise<void> {
    if (this.#request.source.kind === 'stored') return;
    const source = await this.#step(() => this.#activities.fetchBundle(this.#request));
    this.#request = { ...this.#request, source };
  }

  async inspect(): Promise<void> {
    this.#contents = await this.#step(() => this.#activities.inspectBundle(this.#request));
    if (this.#contents.searchAttributes) {
      const { restoreId, database } = this.#request;
      this.#searchState.register({ restoreId, database, state: this.#state() });
    }
    this.#phase = 'running';
    this.#show();
  }

  /** A strategy that is all or nothing takes one transaction, and so does a dry run, which leaves nothing. */
  async importBundle(): Promise<void> {
    const request = this.#request;
    if (this.#isWhole()) {
      const { tally, ...made } = await this.#step(() => this.#activities.importWhole(request));
      this.#made = made;
      this.#tally = tally;
    } else {
      const { parts, ...made } = await this.#step(() => this.#activities.importDescribe(request));
      this.#made = made;
      const filesTotal = this.#contents?.files ?? 0;
      for (const groups of parts) {
        const loaded = await this.#step(() => this.#activities.importModels({ request, groups, filesTotal }));
        this.#tally = sumBundleTallies(this.#tally, loaded);
        this.#show();
      }
    }
    this.#show();
  }

  async settle(): Promise<void> {
    this.#phase = 'finishing';
    this.#show();
    if (!this.#request.dryRun) await this.#activities.finishBundle(this.#request);
  }

  fail(error: unknown): void {
    this.#isRolledBack = this.#isWhole() && this.#phase === 'running';
    this.#error = toTableError(error);
    this.#stack = stackOf(error);
  }

  async finish(): Promise<void> {
    this.#phase = this.#endState();
    this.#show();
    try {
      await recordRun({
        runId: this.#request.restoreId,
        state: this.#phase,
        ...(this.#phase === 'completed' ? { progress: 100 } : {}),
        ...(this.#isRolledBack ? { progressDetail: rolledBack } : {}),
        ...(this.cancelled && this.#isWhole() ? { progressDetail: { phase: 'cancelled' } } : {}),
        ...(this.#error === null ? {} : { error: this.#error, stack: this.#stack }),
      });
    } catch (error) {
      if (this.#error === null) this.fail(error);
    }
    await condition(allHandlersFinished);
  }

  /** Gives the outcome, or throws so that Temporal shows the restore as cancelled or failed. */
  end(): BundleOutcome {
    return endWith(this.#outcome());
  }

  #step<T>(work: () => Promise<T>): Promise<T> {
    return this.#pausable.do(work);
  }

  #isWhole(): boolean {
    const { conflictStrategy, dryRun } = this.#request;
    return dryRun || conflictStrategy === 'error' || conflictStrategy === 'replace';
  }

  #state(): RestoreState {
    if (this.cancelled && !isEnded(this.#phase)) return 'cancelling';
    return this.#pausable.stateIn(this.#phase);
  }

  #endState(): BundleOutcome['state'] {
    return endState(this.cancelled, this.#error);
  }

  #outcome(): BundleOutcome {
    const { restoreId, database, namespace } = this.#request;
    return {
      restoreId,
      state: this.#endState(),
      database,
      namespace,
      ...this.#made,
      tally: this.#tally,
      error: this.#error,
      seconds: (Date.now() - this.#startedAt.getTime()) / 1000,
    };
  }

  #progress(): RestoreProgress {
    const { restoreId, database } = this.#request;
    return bundleProgress(
      {
        restoreId,
        database,
        state: this.#state(),
        reason: this.#pausable.reason,
        startedAt: this.#startedAt.toISOString(),
      },
      this.#tally,
      this.#contents,
      Date.now(),
    );
  }

  #show(): void {
    const progress = this.#progress();
    setCurrentDetails(describeRestore(progress, this.#error === null ? [] : [this.#error.message]));
    this.#searchState.set(progress.state);
  }
}
