import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  DatabaseFacts,
  DumpActivities,
  DumpLoad,
  DumpOutcome,
  DumpPlan,
  DumpProgress,
  DumpProof,
  DumpReport,
  DumpStep,
  DumpSwap,
} from '../src/contract/dump-activities.ts';
import type { DumpRef, DumpRequest } from '../src/contract/dump-request.ts';
import { errorTraits } from '../src/contract/error-code.ts';
import { gateReachedSignal, proceedSignal, progressQuery } from '../src/contract/messages.ts';
import { oldDatabaseWorkflowId, restoreWorkflowId, workflowTypes } from '../src/contract/names.ts';
import type { TableError } from '../src/contract/outcome.ts';
import { isEnded, type RestoreState } from '../src/contract/progress.ts';
import type { DumpGate } from '../src/contract/system-request.ts';
import { isAboutDump } from '../src/restore/dump-faults.ts';
import { isRepeatable } from '../src/restore/dump-modes.ts';
import { keptOld, leftInExisting, leftInPlace, verificationError } from '../src/restore/dump-outcome.ts';
import { describeDump, dumpProgress } from '../src/restore/dump-progress.ts';
import { Notices } from '../src/restore/notices.ts';
import { carryOut, endState, endWith } from './carry-out.ts';
import { throwIfCancelled } from './control.ts';
import { DatabaseHold } from './database-hold.ts';
import type { dropOldDatabase } from './drop-old-database.ts';
import { toFailure, toTableError } from './failures.ts';
import { PausableSteps } from './pausable-steps.ts';
import { SearchState } from './search-attributes.ts';

/** The work on dumps; how long a worker may be silent is said by the request. */
function activitiesOf(request: DumpRequest) {
  const { heartbeatSeconds = 20 } = request;
  const retry = { initialInterval: '500ms', maximumInterval: '10s' } as const;
  const long = {
    startToCloseTimeout: '24h',
    heartbeatTimeout: heartbeatSeconds * 1000,
    // What an attempt has begun has to be over before anything else is done about it.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  } as const;
  const { chooseDump } = proxyActivities<DumpActivities>({
    ...long,
    // A wrong host is told of in time.
    scheduleToCloseTimeout: '5 minutes',
    retry,
  });
  const { recordDump, nameHolder } = proxyActivities<DumpActivities>({
    startToCloseTimeout: '30s',
    scheduleToCloseTimeout: '2 minutes',
    retry,
  });
  const { proveDump, surveyDatabase, verifyDump } = proxyActivities<DumpActivities>({
    ...long,
    retry: { ...retry, maximumAttempts: 12 },
  });
  const { loadDump } = proxyActivities<DumpActivities>({
    ...long,
    retry: { ...retry, maximumAttempts: isRepeatable(request) ? 12 : 1 },
  });
  const { swapDatabase, discardLoad, dropOldDatabase } = proxyActivities<DumpActivities>({
    ...long,
    retry: { ...retry, maximumAttempts: 30 },
  });
  return {
    ...{ chooseDump, nameHolder, recordDump, proveDump, surveyDatabase, loadDump, verifyDump },
    ...{ swapDatabase, discardLoad, dropOld: dropOldDatabase },
  };
}

/**
 * Restores a dump into the database of a service.
 *
 *     choose ──> prove ──> survey ──> load ──> verify ──> swap ──> finish
 *
 * choose   entered at the start; takes the database, finds the dump and those before it.
 * prove    reads the dump to its end; one that is not good gives way to the one before, `fallback` times.
 * survey   writes down what the live database is. Nothing was touched up to its end.
 * load     into a new database, or where the mode says so into the one that is there.
 * verify   looks at what was loaded; left for finish where the database was there already.
 * swap     gives the new database its name. Who cancels from here on comes too late.
 * finish   entered by an error or a cancel too: removes what came to no good end, writes the record, lets go.
 *
 * One that is part of the restore of a system waits at two gates, before load and swap, until that says go on; there
 * nothing but a cancel ends it.
 *
 * A pause takes hold before the next step; with `--now` the step under way is broken off, and begun again at
 * resume.
 */
export async function restoreDump(request: DumpRequest): Promise<DumpOutcome> {
  const restore = new DumpRun(named(request));
  restore.listen();
  await carryOut(restore, async () => {
    // Keep others out.
    await restore.hold();
    // Find the dump, and see that it is good.
    await restore.choose();
    await restore.prove();
    // Know what the live database is.
    await restore.survey();
    // Load, and see that it is what the dump says.
    await restore.passGate('load');
    await restore.load();
    await restore.verify();
    await restore.passGate('swap');
    // Put it in the place of the live one.
    await restore.swap();
  });
  return restore.end();
}

/** The state of {@link restoreDump}; each method is a step of its plan. */
class DumpRun {
  cancelled = false;
  #error: TableError | null = null;
  readonly #request: DumpRequest;
  readonly #activities: ReturnType<typeof activitiesOf>;
  readonly #startedAt = new Date();
  #endedAt: number | null = null;
  readonly #searchState = new SearchState(false, null);
  #phase: RestoreState = 'planning';
  #step: DumpStep = 'choose';
  readonly #steps: { step: DumpStep; seconds: number }[] = [];
  #stepAt = Date.now();
  readonly #hold = new DatabaseHold();
  readonly #pausable = new PausableSteps({
    state: () => this.#state(),
    onPaused: () => this.#record('paused'),
    onResumed: () => this.#record(this.#phase),
    show: () => this.#show(),
  });
  #plan: DumpPlan | null = null;
  /** The one that is restored, or was to be. */
  #dump: DumpRef | null = null;
  readonly #passedOver: { key: string; reason: string }[] = [];
  #proof: DumpProof | null = null;
  #before: DatabaseFacts | null = null;
  /** Gates that the restore of the system has opened. */
  readonly #open = new Set<DumpGate>();
  #hasBegunLoad = false;
  #load: DumpLoad | null = null;
  #report: DumpReport | null = null;
  #swap: DumpSwap | null = null;
  #leftBehind: readonly string[] = [];
  readonly #notices = new Notices();
  #outcome: DumpOutcome | null = null;

  constructor(request: DumpRequest) {
    this.#request = request;
    this.#activities = activitiesOf(request);
  }

  /** Sets the handlers of messages and queries. */
  listen(): void {
    setHandler(progressQuery, () => this.#progress());
    setHandler(proceedSignal, (gate) => {
      this.#open.add(gate);
    });
    this.#pausable.listen();
    this.#show();
  }

  hold(): Promise<void> {
    return this.#hold.take(this.#request, this.#activities.nameHolder);
  }

  /** Waits for the restore of the system that this one is part of, if it is. */
  async passGate(gate: DumpGate): Promise<void> {
    const { parent } = workflowInfo();
    if (this.#request.isGated !== true || parent === undefined) return;
    const { restoreId } = this.#request;
    await getExternalWorkflowHandle(parent.workflowId).signal(gateReachedSignal, { restoreId, gate });
    await condition(() => this.#open.has(gate));
  }

  async choose(): Promise<void> {
    const { restoreId, database } = this.#request;
    this.#plan = await this.#do('choose', () => this.#activities.chooseDump(this.#request));
    this.#dump = this.#plan.candidates[0] ?? null;
    this.#notices.add(...this.#plan.notices);
    if (this.#plan.searchAttributes) {
      this.#searchState.register({ restoreId, database, state: this.#state() });
    }
  }

  /** The first good one of the dumps that may be taken. */
  async prove(): Promise<void> {
    for (const [place, dump] of this.#candidates.entries()) {
      this.#dump = dump;
      try {
        const proof = await this.#prove(dump);
        this.#proof = proof;
        this.#notices.add(...proof.notices);
        return;
      } catch (error) {
        const told = toTableError(error);
        if (isCancellation(error) || !isAboutDump(told.code)) throw error;
        this.#passedOver.push({ key: dump.key, reason: `${told.code}: ${told.message}` });
        const next = this.#candidates[place + 1];
        if (place >= this.#request.fallback || next === undefined) throw await this.#notGood(told, place);
        this.#notices.add(`${dump.key} is not good; ${next.key} is taken in its place.`);
      }
    }
  }

  async survey(): Promise<void> {
    const input = { request: this.#request, proof: this.#proofOrThrow };
    const { before, notices } = await this.#do('survey', async () => {
      this.#notices.add(...(await this.#record('running')));
      return this.#activities.surveyDatabase(input);
    });
    this.#before = before;
    this.#notices.add(...notices);
  }

  async load(): Promise<void> {
    this.#phase = 'running';
    const input = { request: this.#request, proof: this.#proofOrThrow };
    this.#load = await this.#do('load', () => {
      this.#hasBegunLoad = true;
      return this.#activities.loadDump(input);
    });
    this.#notices.add(...this.#load.warnings);
  }

  async verify(): Promise<void> {
    const input = { request: this.#request, proof: this.#proofOrThrow, load: this.#loadOrThrow };
    this.#report = await this.#do('verify', () =>
      this.#activities.verifyDump({ ...input, before: this.#before }),
    );
    const error = verificationError(this.#report, input.load, this.#request.mode);
    if (error !== null) throw toFailure(error);
  }

  async swap(): Promise<void> {
    const { mode } = this.#request;
    if (mode === 'into-existing') return;
    const input = { request: this.#request, load: this.#loadOrThrow, before: this.#before };
    this.#enter('swap');
    await this.#pausable.whenRunning();
    await throwIfCancelled();
    this.#phase = 'finishing';
    this.#show();
    // A swap that was broken off may have been done all the same.
    this.#swap = await CancellationScope.nonCancellable(() => this.#activities.swapDatabase(input));
    this.#notices.add(...this.#swap.notices);
  }

  fail(error: unknown): void {
    this.#error = toTableError(error);
  }

  async finish(): Promise<void> {
    this.#enter('finish');
    this.#phase = this.cancelled ? 'cancelling' : 'finishing';
    this.#show();
    if (this.#endState() === 'completed') await this.#keepOld();
    else if (this.#hasBegunLoad) await this.#discard();
    this.#endedAt = Date.now();
    this.#notices.add(...(await this.#record(this.#endState())));
    this.#enter('finish');
    this.#phase = this.#endState();
    this.#outcome = this.#tell();
    this.#show();
    await this.#hold.letGo();
    await condition(allHandlersFinished);
  }

  /** Gives the outcome, or throws so that Temporal shows the restore as cancelled or failed. */
  end(): DumpOutcome {
    return endWith(this.#outcome ?? this.#tell());
  }

  #do<T>(step: DumpStep, work: () => Promise<T>): Promise<T> {
    this.#enter(step);
    return this.#pausable.do(work);
  }

  #prove(dump: DumpRef): Promise<DumpProof> {
    return this.#do('prove', () => this.#activities.proveDump({ request: this.#request, dump }));
  }

  /** What the chosen dump is not good for, and which earlier one is. */
  async #notGood(told: TableError, place: number): Promise<Error> {
    for (const [further, dump] of this.#candidates.slice(place + 1).entries()) {
      try {
        await this.#prove(dump);
        const fallback = place + further + 1;
        const when = dump.takenAt ?? dump.modifiedAt;
        const hint = `The dump before it that is good is ${dump.key} of ${when}: --fallback ${fallback} takes it.`;
        return toFailure({ ...told, hint });
      } catch (error) {
        const { code } = toTableError(error);
        if (isCancellation(error) || !isAboutDump(code)) throw error;
      }
    }
    return toFailure({ ...told, hint: `No dump before it that was looked at is good. ${told.hint}` });
  }

  /** Has the old database dropped in time: at once, or by a workflow that outlives this one. */
  async #keepOld(): Promise<void> {
    const { old, dropAt } = this.#swap ?? { old: null, dropAt: null };
    if (old === null || dropAt === null) return;
    const { server, keepOldSeconds } = this.#request;
    const database = { request: this.#request, name: old, dropAt };
    if (keepOldSeconds === 0) {
      await this.#activities.dropOld(database).catch((error: unknown) => {
        this.#leftBehind = [old];
        this.#notices.add(`${old} could not be dropped: ${toTableError(error).message}`);
      });
      return;
    }
    try {
      await startChild<typeof dropOldDatabase>(workflowTypes.dropOldDatabase, {
        workflowId: oldDatabaseWorkflowId(server, old),
        args: [database],
        parentClosePolicy: ParentClosePolicy.ABANDON,
      });
    } catch (error) {
      // Its name has the second of the swap, so whoever has the id drops the very same.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }

  async #discard(): Promise<void> {
    const request = this.#request;
    if (request.mode === 'into-existing') {
      const error = this.cancelled ? null : this.#error;
      this.#notices.add(leftInExisting({ request, proof: this.#proof, load: this.#load, error }));
      return;
    }
    if (request.mode === 'recreate' && this.#load !== null) {
      // The live database is gone: what was loaded is worth more than nothing.
      this.#leftBehind = [this.#load.database];
      this.#notices.add(leftInPlace(request, this.#load));
      return;
    }
    try {
      const { leftBehind, notices } = await this.#activities.discardLoad(request);
      this.#leftBehind = leftBehind;
      this.#notices.add(...notices);
    } catch (error) {
      const { message } = toTableError(error);
      this.#leftBehind = [this.#load?.database ?? `the new database beside ${request.database}`];
      this.#notices.add(`What was loaded could not be removed: ${message}`);
    }
  }

  /** Writes how the restore stands; what hinders that hinders nothing else. */
  async #record(state: RestoreState): Promise<readonly string[]> {
    const outcome = isEnded(state) ? this.#tell() : null;
    try {
      return await this.#activities.recordDump({ request: this.#request, state, outcome });
    } catch (error) {
      if (isCancellation(error)) throw error;
      return [`The record of the restore could not be written: ${toTableError(error).message}`];
    }
  }

  /** Writes down how long the step before took. */
  #enter(step: DumpStep): void {
    const now = Date.now();
    const seconds = (now - this.#stepAt) / 1000;
    const last = this.#steps.at(-1);
    if (last?.step === this.#step) last.seconds += seconds;
    else this.#steps.push({ step: this.#step, seconds });
    this.#step = step;
    this.#stepAt = now;
  }

  get #candidates(): readonly DumpRef[] {
    return this.#plan?.candidates ?? [];
  }

  get #proofOrThrow(): DumpProof {
    if (this.#proof === null) throw toFailure({ ...noDump, hint: errorTraits.ArchiveNotFound.hint });
    return this.#proof;
  }

  get #loadOrThrow(): DumpLoad {
    if (this.#load === null) throw new TypeError('nothing was loaded');
    return this.#load;
  }

  #state(): RestoreState {
    return this.#pausable.stateIn(this.#phase);
  }

  #endState(): DumpOutcome['state'] {
    return endState(this.cancelled, this.#error);
  }

  #tell(): DumpOutcome {
    const { restoreId, service, database, mode } = this.#request;
    return {
      restoreId,
      state: this.#endState(),
      service,
      database,
      mode,
      dump: this.#dump,
      passedOver: this.#passedOver,
      proof: this.#proof,
      report: this.#report,
      old: keptOld(this.#swap, this.#request),
      leftBehind: this.#leftBehind,
      notices: this.#notices.all,
      error: this.#error,
      seconds: ((this.#endedAt ?? Date.now()) - this.#startedAt.getTime()) / 1000,
    };
  }

  #progress(): DumpProgress {
    return dumpProgress(
      this.#request,
      { state: this.#state(), reason: this.#pausable.reason, startedAt: this.#startedAt.toISOString() },
      {
        step: this.#step,
        dump: this.#dump,
        proof: this.#proof,
        report: this.#report,
        steps: this.#steps,
        notices: this.#notices.all,
        outcome: this.#outcome,
      },
      Date.now(),
    );
  }

  #show(): void {
    const progress = this.#progress();
    setCurrentDetails(describeDump(progress));
    this.#searchState.set(progress.state);
  }
}

/** A schedule starts the same request again and again; the id that it gives the workflow has the time in it. */
function named(request: DumpRequest): DumpRequest {
  if (request.restoreId !== '') return request;
  return { ...request, restoreId: workflowInfo().workflowId.slice(restoreWorkflowId('').length) };
}

const noDump = { code: 'ArchiveNotFound', message: 'There is no such dump.' } as const;
