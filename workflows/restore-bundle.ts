import { allHandlersFinished, condition, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../src/contract/activities.ts';
import type { BundleContents, BundleOutcome, BundleTally } from '../src/contract/bundle-activities.ts';
import { isEnded, type RestoreProgress, type RestoreState } from '../src/contract/progress.ts';
import type { BundleRequest } from '../src/contract/run-request.ts';
import { bundleProgress, emptyBundleTally, sumBundleTallies } from '../src/restore/bundle-tally.ts';
import { describeRestore } from '../src/restore/details.ts';
import { carryOut } from './carry-out.ts';
import { stackOf } from './failures.ts';
import { PausableSteps } from './pausable-steps.ts';
import { PlannedRestore } from './planned-restore.ts';
import { soon } from './work-options.ts';

/** The work of a bundle; how long a worker may be silent is said by the request. */
function activitiesOf({ heartbeatSeconds = 20 }: BundleRequest) {
  const heartbeatTimeout = heartbeatSeconds * 1000;
  const { fetchBundle, inspectBundle } = proxyActivities<Activities>({
    startToCloseTimeout: '24h',
    heartbeatTimeout,
    retry: { ...soon, maximumAttempts: 12 },
  });
  const { importDescribe, importModels, importWhole, finishBundle } = proxyActivities<Activities>({
    startToCloseTimeout: '24h',
    heartbeatTimeout,
    retry: { ...soon, maximumAttempts: 100 },
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

/**
 * Restores a bundle: checks it, makes its models, loads their records, reports.
 *
 *     fetch ──> inspect ──> import ──> settle ──> finish
 *
 * fetch    entered at the start; brings it into the store, where it lies elsewhere.
 * inspect  checks the file and what it requires; goes to finish where nothing else was asked for.
 * import   makes the models that are missing and loads all of them: in one transaction, or group by group.
 * settle   moves sequences, brings statistics up to date. A pause comes too late from here on.
 * finish   entered by an error or a cancel too: writes how the run has ended.
 *
 * A pause takes hold before the next step or group; with `--now` the one under way is broken off, and begun again at
 * resume.
 */
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

/** A restore of a bundle as it goes; each method is a step of the plan of {@link restoreBundle}. */
class BundleRun extends PlannedRestore<BundleOutcome, RestoreProgress> {
  #stack = '';
  #isRolledBack = false;
  #request: BundleRequest;
  readonly #activities: ReturnType<typeof activitiesOf>;
  #contents: BundleContents | null = null;
  #made = { modelsCreated: 0, fieldsCreated: 0 };
  #tally: BundleTally = emptyBundleTally;
  protected readonly control = new PausableSteps({
    state: () => this.state(),
    onPaused: () => recordRun({ runId: this.#request.restoreId, state: 'paused' }),
    onResumed: () => recordRun({ runId: this.#request.restoreId, state: this.phase }),
    show: () => this.show(),
  });

  constructor(request: BundleRequest) {
    super();
    this.#request = request;
    this.#activities = activitiesOf(request);
  }

  /** From here on it is read from the store alone. */
  async fetch(): Promise<void> {
    if (this.#request.source.kind === 'stored') return;
    const source = await this.#step(() => this.#activities.fetchBundle(this.#request));
    this.#request = { ...this.#request, source };
  }

  async inspect(): Promise<void> {
    this.#contents = await this.#step(() => this.#activities.inspectBundle(this.#request));
    if (this.#contents.searchAttributes) this.register(this.#request);
    this.phase = 'running';
    this.show();
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
        this.show();
      }
    }
    this.show();
  }

  async settle(): Promise<void> {
    this.phase = 'finishing';
    this.show();
    if (!this.#request.dryRun) await this.#activities.finishBundle(this.#request);
  }

  override fail(error: unknown): void {
    super.fail(error);
    this.#isRolledBack = this.#isWhole() && this.phase === 'running';
    this.#stack = stackOf(error);
  }

  async finish(): Promise<void> {
    this.phase = this.endState();
    this.show();
    try {
      await recordRun({
        runId: this.#request.restoreId,
        state: this.phase,
        ...(this.phase === 'completed' ? { progress: 100 } : {}),
        ...(this.#isRolledBack ? { progressDetail: rolledBack } : {}),
        ...(this.cancelled && this.#isWhole() ? { progressDetail: { phase: 'cancelled' } } : {}),
        ...(this.error === null ? {} : { error: this.error, stack: this.#stack }),
      });
    } catch (error) {
      if (this.error === null) this.fail(error);
    }
    await condition(allHandlersFinished);
  }

  #step<T>(work: () => Promise<T>): Promise<T> {
    return this.control.do(work);
  }

  #isWhole(): boolean {
    const { conflictStrategy, dryRun } = this.#request;
    return dryRun || conflictStrategy === 'error' || conflictStrategy === 'replace';
  }

  protected override state(): RestoreState {
    return this.cancelled && !isEnded(this.phase) ? 'cancelling' : super.state();
  }

  protected tell(): BundleOutcome {
    const { restoreId, database, namespace } = this.#request;
    return {
      restoreId,
      state: this.endState(),
      database,
      namespace,
      ...this.#made,
      tally: this.#tally,
      error: this.error,
      seconds: (Date.now() - this.startedAt.getTime()) / 1000,
    };
  }

  protected progress(): RestoreProgress {
    const { restoreId, database } = this.#request;
    return bundleProgress({ restoreId, database, ...this.head() }, this.#tally, this.#contents, Date.now());
  }

  protected describe(progress: RestoreProgress): string {
    return describeRestore(progress, this.error === null ? [] : [this.error.message]);
  }
}
