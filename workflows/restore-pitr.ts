import { allHandlersFinished, condition, proxyActivities } from '@temporalio/workflow';
import type {
  PitrActivities,
  PitrOutcome,
  PitrPlan,
  PitrProgress,
  PitrReport,
  PitrRequest,
  PitrStep,
  RecoveredCluster,
} from '../src/contract/pitr.ts';
import { describePitr, pitrProgress } from '../src/restore/pitr-progress.ts';
import { carryOut } from './carry-out.ts';
import { Control } from './control.ts';
import { toFailure, toTableError } from './failures.ts';
import { PlannedRestore } from './planned-restore.ts';
import { longWork, soon } from './work-options.ts';

/** The work on clusters; how long a worker may be silent is said by the request. */
function activitiesOf(request: PitrRequest) {
  const long = { ...longWork(request), startToCloseTimeout: '7 days' } as const;
  const { checkBase } = proxyActivities<PitrActivities>({
    ...long,
    // A wrong place is told of in time.
    scheduleToCloseTimeout: '30 minutes',
    retry: soon,
  });
  const { unpackBase, fetchWal, recoverCluster, verifyCluster, finishCluster, discardCluster } =
    proxyActivities<PitrActivities>({ ...long, retry: { ...soon, maximumAttempts: 12 } });
  return { checkBase, unpackBase, fetchWal, recoverCluster, verifyCluster, finishCluster, discardCluster };
}

/**
 * Recovers a cluster from a base backup and archived WAL to a point in time, in a new folder. The cluster that was
 * backed up is not touched.
 *
 *     check ──> unpack ──> fetch ──> recover ──> verify ──> finish
 *
 * check    entered at the start; nothing was made up to its end.
 * unpack   the base backup, into the new folder, compared with its manifest.
 * fetch    brings the WAL beside it.
 * recover  the server replays the WAL up to the target, and is promoted.
 * verify   looks at what came back.
 * finish   entered by an error or a cancel too: stops the server then, and removes the folder.
 *
 * A pause takes hold before the next step.
 */
export async function restorePitr(request: PitrRequest): Promise<PitrOutcome> {
  const recovery = new Recovery(request);
  recovery.listen();
  await carryOut(recovery, async () => {
    // See that it can be done.
    await recovery.check();
    // Have base backup and WAL in one folder.
    await recovery.unpack();
    await recovery.fetch();
    // Have PostgreSQL replay it up to the target.
    await recovery.recover();
    // See what came back.
    await recovery.verify();
    await recovery.complete();
  });
  return recovery.end();
}

/** A recovery as it goes; each method is a step of the plan of {@link restorePitr}. */
class Recovery extends PlannedRestore<PitrOutcome, PitrProgress> {
  readonly #request: PitrRequest;
  readonly #activities: ReturnType<typeof activitiesOf>;
  protected readonly control = new Control(null, { state: () => this.state() });
  #step: PitrStep = 'check';
  #plan: PitrPlan | null = null;
  #hasBegun = false;
  #recovered: RecoveredCluster | null = null;
  #report: PitrReport | null = null;
  #isComplete = false;
  /** Milliseconds since the epoch. */
  #verifiedAt: number | null = null;
  #leftBehind: readonly string[] = [];
  readonly #notices: string[] = [];

  constructor(request: PitrRequest) {
    super();
    this.#request = request;
    this.#activities = activitiesOf(request);
  }

  async check(): Promise<void> {
    this.#plan = await this.#do('check', () => this.#activities.checkBase(this.#request));
    this.#notices.push(...this.#plan.notices);
    const { restoreId, into } = this.#request;
    if (this.#plan.searchAttributes) this.register({ restoreId, database: into });
  }

  async unpack(): Promise<void> {
    this.phase = 'running';
    const { notices } = await this.#do('unpack', () => {
      this.#hasBegun = true;
      return this.#activities.unpackBase(this.#request);
    });
    this.#notices.push(...notices);
  }

  async fetch(): Promise<void> {
    await this.#do('fetch', () => this.#activities.fetchWal(this.#request));
  }

  async recover(): Promise<void> {
    const input = { request: this.#request, plan: this.#planOrThrow };
    this.#recovered = await this.#do('recover', () => this.#activities.recoverCluster(input));
    this.#notices.push(...this.#recovered.notices);
  }

  async verify(): Promise<void> {
    this.#report = await this.#do('verify', () => this.#activities.verifyCluster(this.#request));
    if (this.#report.outcome === 'verified') {
      this.#verifiedAt = Date.now();
      return;
    }
    const failed = this.#report.checks.filter(({ outcome }) => outcome === 'failed');
    throw toFailure({
      code: 'VerificationFailed',
      message: `What was recovered is not what was expected: ${failed.map(({ name, detail }) => `${name}: ${detail}`).join('; ')}`,
      hint: 'Another target or base backup may do; the cluster that was backed up is as it was.',
    });
  }

  async complete(): Promise<void> {
    await this.#do('finish', () => this.#activities.finishCluster(this.#request));
    this.#isComplete = true;
  }

  async finish(): Promise<void> {
    this.#step = 'finish';
    this.phase = this.cancelled ? 'cancelling' : 'finishing';
    this.show();
    // Who cancels what is finished comes too late.
    if (this.#isComplete) this.cancelled = false;
    else if (this.#hasBegun) await this.#discard();
    this.phase = this.endState();
    this.outcome = this.tell();
    this.show();
    await condition(allHandlersFinished);
  }

  /** Does a step once the recovery is not paused. */
  async #do<T>(step: PitrStep, work: () => Promise<T>): Promise<T> {
    this.#step = step;
    this.show();
    if (this.control.paused) await this.control.whenRunning();
    this.show();
    return work();
  }

  async #discard(): Promise<void> {
    try {
      await this.#activities.discardCluster(this.#request);
    } catch (error) {
      this.#leftBehind = [this.#request.into];
      this.#notices.push(`${this.#request.into} could not be removed: ${toTableError(error).message}`);
    }
  }

  protected tell(): PitrOutcome {
    const { restoreId, base, target, into, keepRunning } = this.#request;
    const state = this.endState();
    const isThere = state === 'completed';
    const started = this.startedAt.getTime();
    return {
      ...{ restoreId, state, base, target, plan: this.#plan },
      ...{ recovered: this.#recovered, report: this.#report },
      ...{ data: isThere ? `${into}/data` : null, isRunning: isThere && keepRunning },
      rtoSeconds: this.#verifiedAt === null ? null : (this.#verifiedAt - started) / 1000,
      rpoSeconds: this.#rpoSeconds(),
      ...{ leftBehind: this.#leftBehind, notices: this.#notices, error: this.error },
      seconds: (Date.now() - started) / 1000,
    };
  }

  /** What was committed in that time is lost, if anything was. */
  #rpoSeconds(): number | null {
    const { target } = this.#request;
    const last = this.#recovered?.lastCommitAt ?? null;
    if (last === null || (target.kind !== 'time' && target.kind !== 'latest')) return null;
    const wanted = target.kind === 'time' ? Date.parse(target.time) : this.startedAt.getTime();
    return Math.max((wanted - Date.parse(last)) / 1000, 0);
  }

  protected progress(): PitrProgress {
    const standing = { pitrStep: this.#step, notices: this.#notices, outcome: this.outcome };
    return pitrProgress(this.#request, this.head(), this.#plan, standing, Date.now());
  }

  protected describe(progress: PitrProgress): string {
    return describePitr(this.#request, progress);
  }

  get #planOrThrow(): PitrPlan {
    if (this.#plan === null) throw new TypeError('the recovery has no plan');
    return this.#plan;
  }
}
