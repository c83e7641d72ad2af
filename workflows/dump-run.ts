import { allHandlersFinished, CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import type {
  DatabaseFacts,
  DiscardedLoad,
  DumpLoad,
  DumpOutcome,
  DumpProgress,
  DumpReport,
  DumpStep,
  DumpSwap,
} from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { isEnded, type RestoreState } from '../src/contract/progress.ts';
import type { DumpGate } from '../src/contract/system-request.ts';
import { keptOld, untouched, verificationError } from '../src/restore/dump-outcome.ts';
import { describeDump, dumpProgress } from '../src/restore/dump-progress.ts';
import { Notices } from '../src/restore/notices.ts';
import { throwIfCancelled } from './control.ts';
import { DatabaseHold } from './database-hold.ts';
import { DumpCandidates } from './dump-candidates.ts';
import { DumpGates } from './dump-gates.ts';
import { discard, dropOld } from './dump-remains.ts';
import { type DumpWork, dumpWork } from './dump-work.ts';
import { toFailure, toTableError } from './failures.ts';
import { PausableSteps } from './pausable-steps.ts';
import { PlannedRestore } from './planned-restore.ts';
import { StepClock } from './step-clock.ts';

/** A restore of a dump as it goes; each method is a step of the plan of `restoreDump`. */
export class DumpRun extends PlannedRestore<DumpOutcome, DumpProgress> {
  readonly #request: DumpRequest;
  readonly #work: DumpWork;
  readonly #hold = new DatabaseHold();
  readonly #gates = new DumpGates();
  readonly #clock = new StepClock<DumpStep>('choose');
  readonly #notices = new Notices();
  readonly #candidates = new DumpCandidates();
  #before: DatabaseFacts | null = null;
  #wouldDo: readonly string[] | null = null;
  #hasBegunLoad = false;
  #load: DumpLoad | null = null;
  #report: DumpReport | null = null;
  #swap: DumpSwap | null = null;
  #leftBehind: readonly string[] = [];
  #endedAt: number | null = null;
  protected readonly control = new PausableSteps({
    state: () => this.state(),
    onPaused: () => this.#record('paused'),
    onResumed: () => this.#record(this.phase),
    show: () => this.show(),
  });

  constructor(request: DumpRequest) {
    super();
    this.#request = request;
    this.#work = dumpWork(request);
  }

  override listen(): void {
    this.#gates.listen();
    super.listen();
  }

  async hold(): Promise<void> {
    await this.#hold.take(this.#request, this.#work.nameHolder);
    // Who only looks is in nobody's way, however long it takes.
    if (this.#request.dryRun === true) await this.#hold.letGo();
  }

  passGate(gate: DumpGate): Promise<void> {
    return this.#gates.pass(gate, this.#request);
  }

  async choose(): Promise<void> {
    const { candidates, notices, searchAttributes } = await this.#do('choose', () =>
      this.#work.chooseDump(this.#request),
    );
    this.#candidates.take(candidates);
    this.#notices.add(...notices);
    if (searchAttributes) this.register(this.#request);
  }

  /** The first good one of the dumps that may be taken. */
  async prove(): Promise<void> {
    const request = this.#request;
    await this.#candidates.prove(
      (dump) => this.#do('prove', () => this.#work.proveDump({ request, dump })),
      request.fallback,
      this.#notices,
    );
  }

  async survey(): Promise<void> {
    const input = { request: this.#request, proof: this.#candidates.proofOrThrow };
    const { before, notices, wouldDo } = await this.#do('survey', async () => {
      this.#notices.add(...(await this.#record('running')));
      return this.#work.surveyDatabase(input);
    });
    this.#before = before;
    this.#wouldDo = wouldDo ?? null;
    this.#notices.add(...notices);
  }

  async load(): Promise<void> {
    this.phase = 'running';
    const input = { request: this.#request, proof: this.#candidates.proofOrThrow };
    this.#load = await this.#do('load', () => {
      this.#hasBegunLoad = true;
      return this.#work.loadDump(input);
    });
    this.#notices.add(...this.#load.warnings);
  }

  async verify(): Promise<void> {
    const load = this.#loadOrThrow;
    const proof = this.#candidates.proofOrThrow;
    const input = { request: this.#request, proof, load, before: this.#before };
    this.#report = await this.#do('verify', () => this.#work.verifyDump(input));
    const error = verificationError(this.#report, load, this.#request.mode);
    if (error !== null) throw toFailure(error);
  }

  async swap(): Promise<void> {
    if (this.#request.mode === 'into-existing') return;
    const input = { request: this.#request, load: this.#loadOrThrow, before: this.#before };
    this.#clock.enter('swap');
    await this.control.whenRunning();
    await throwIfCancelled();
    this.phase = 'finishing';
    this.show();
    // A swap that was broken off may have been done all the same.
    this.#swap = await CancellationScope.nonCancellable(() => this.#work.swapDatabase(input));
    this.#notices.add(...this.#swap.notices);
  }

  async finish(): Promise<void> {
    this.#clock.enter('finish');
    this.phase = this.cancelled ? 'cancelling' : 'finishing';
    this.show();
    await this.#tidyUp();
    this.#endedAt = Date.now();
    this.#notices.add(...(await this.#record(this.endState())));
    this.#clock.enter('finish');
    this.phase = this.endState();
    this.outcome = this.tell();
    this.show();
    await this.#hold.letGo();
    await condition(allHandlersFinished);
  }

  /** Does a step once the restore is not paused. */
  #do<T>(step: DumpStep, work: () => Promise<T>): Promise<T> {
    this.#clock.enter(step);
    return this.control.do(work);
  }

  /** Sees to the database that is not live any more, or never came to be. */
  async #tidyUp(): Promise<void> {
    const request = this.#request;
    if (this.endState() === 'completed') {
      if (this.#swap !== null) this.#remains(await dropOld(request, this.#swap, this.#work));
    } else if (this.#hasBegunLoad) {
      const error = this.cancelled ? null : this.error;
      const broken = { request, proof: this.#candidates.proof, load: this.#load, error };
      this.#remains(await discard(broken, this.#work));
    } else if (request.mode !== 'swap') {
      // Of a swap whoever tells the outcome says so in any case.
      this.#notices.add(untouched(request));
    }
  }

  #remains({ leftBehind, notices }: DiscardedLoad): void {
    this.#leftBehind = leftBehind;
    this.#notices.add(...notices);
  }

  /** Writes how the restore stands; what hinders that hinders nothing else. */
  async #record(state: RestoreState): Promise<readonly string[]> {
    if (this.#request.dryRun === true) return [];
    const outcome = isEnded(state) ? this.tell() : null;
    try {
      return await this.#work.recordDump({ request: this.#request, state, outcome });
    } catch (error) {
      if (isCancellation(error)) throw error;
      return [`The record of the restore could not be written: ${toTableError(error).message}`];
    }
  }

  get #loadOrThrow(): DumpLoad {
    if (this.#load === null) throw new TypeError('nothing was loaded');
    return this.#load;
  }

  protected tell(): DumpOutcome {
    const { restoreId, service, database, mode } = this.#request;
    const { dump, passedOver, proof } = this.#candidates;
    return {
      ...{ restoreId, state: this.endState(), service, database, mode },
      ...{ dump, passedOver, proof, report: this.#report },
      old: keptOld(this.#swap, this.#request),
      ...{ leftBehind: this.#leftBehind, notices: this.#notices.all, error: this.error },
      seconds: ((this.#endedAt ?? Date.now()) - this.startedAt.getTime()) / 1000,
      ...(this.#wouldDo === null ? {} : { wouldDo: this.#wouldDo }),
    };
  }

  protected progress(): DumpProgress {
    const { dump, proof } = this.#candidates;
    const { step, all: steps } = this.#clock;
    const standing = { step, steps, dump, proof, report: this.#report };
    return dumpProgress(
      this.#request,
      this.head(),
      { ...standing, notices: this.#notices.all, outcome: this.outcome },
      Date.now(),
    );
  }

  protected describe(progress: DumpProgress): string {
    return describeDump(progress);
  }
}
