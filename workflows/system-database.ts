import {
  CancellationScope,
  CancelledFailure,
  type ChildWorkflowHandle,
  condition,
  ParentClosePolicy,
} from '@temporalio/workflow';
import type { DumpOutcome } from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { errorTraits } from '../src/contract/error-code.ts';
import { pauseSignal, proceedSignal, resumeSignal } from '../src/contract/messages.ts';
import { restoreWorkflowId, workflowTypes } from '../src/contract/names.ts';
import type { TableError } from '../src/contract/outcome.ts';
import type { PlannedDatabase, SystemDatabase } from '../src/contract/system-activities.ts';
import type { DumpGate, GateReached } from '../src/contract/system-request.ts';
import { summaryText } from '../src/restore/clip.ts';
import { dumpAge, objectiveOf } from '../src/restore/system-progress.ts';
import { detailOf, toFailure, toTableError } from './failures.ts';
import type { restoreDump } from './restore-dump.ts';
import { SignalLine } from './signal-line.ts';
import { startReachableChild } from './start-child.ts';

const gates = ['load', 'swap'] as const;

/** One restore of a dump, as a child workflow. */
interface Attempt {
  readonly request: DumpRequest;
  readonly scope: CancellationScope;
  readonly reached: Set<DumpGate>;
  readonly opened: Set<DumpGate>;
  readonly line: SignalLine;
  child: ChildWorkflowHandle<typeof restoreDump> | null;
  outcome: DumpOutcome | null;
  error: TableError | null;
  isOver: boolean;
}

/** By what the objectives of a system are measured, in milliseconds since the epoch. */
export interface SystemTimes {
  readonly startedAt: number;
  /** Its services; null where they were not. */
  readonly stoppedAt: number | null;
  readonly wellAt: number | null;
}

/** A database of a system that is restored: the restores of its dump, one after another where one failed. */
export class SystemDatabaseRun {
  readonly plan: PlannedDatabase;
  /** An operator has left it out: the old database stays. */
  isSkipped = false;
  live: SystemDatabase['live'] = 'old';
  leftBehind: readonly string[] = [];
  readonly #number: number;
  #attempt: Attempt | null = null;
  #attempts = 0;

  /** @param number from 1, of the database within its system */
  constructor(plan: PlannedDatabase, number: number) {
    this.plan = plan;
    this.#number = number;
  }

  get service(): string {
    return this.plan.request.service;
  }

  /** The last restore of its dump. */
  get request(): DumpRequest | null {
    return this.#attempt?.request ?? null;
  }

  get outcome(): DumpOutcome | null {
    return this.#attempt?.outcome ?? null;
  }

  get error(): TableError | null {
    return this.#attempt?.error ?? null;
  }

  /** It was loaded and verified, and waits for its swap or has had it. */
  get isVerified(): boolean {
    return this.#attempt?.reached.has('swap') === true && this.#attempt.error === null;
  }

  /**
   * Goes on to a gate, or to the end; anew where the last restore of it has failed.
   *
   * @throws what the restore failed by
   */
  async advance(to: DumpGate | 'end'): Promise<void> {
    if (this.#attempt === null || (this.#attempt.isOver && this.live === 'old')) await this.#begin();
    const attempt = this.#attempt;
    if (attempt === null) throw new TypeError('no restore of the dump was begun');
    for (const gate of gates) {
      await condition(() => attempt.isOver || attempt.reached.has(gate));
      if (attempt.error !== null) throw toFailure(attempt.error);
      if (gate === to) return;
      if (attempt.opened.has(gate)) continue;
      attempt.opened.add(gate);
      await attempt.child?.signal(proceedSignal, gate);
    }
    await condition(() => attempt.isOver);
    if (attempt.error !== null) throw toFailure(attempt.error);
    this.live = 'new';
  }

  /** Cancels what is under way, and waits until it has put its things away. */
  async abandon(): Promise<void> {
    const attempt = this.#attempt;
    if (attempt === null) return;
    attempt.scope.cancel();
    await condition(() => attempt.isOver);
  }

  /** From a restore of a dump, which need not be of this database. */
  reached({ restoreId, gate }: GateReached): void {
    if (this.#attempt?.request.restoreId === restoreId) this.#attempt.reached.add(gate);
  }

  pause(reason: string | null, now: boolean): void {
    const { child, line, isOver } = this.#attempt ?? { child: null, line: null, isOver: true };
    if (child !== null && !isOver) line?.send(() => child.signal(pauseSignal, reason ?? undefined, now));
  }

  resume(): void {
    const { child, line, isOver } = this.#attempt ?? { child: null, line: null, isOver: true };
    if (child !== null && !isOver) line?.send(() => child.signal(resumeSignal));
  }

  /** What the end of the system's restore tells of it. */
  summary({ startedAt, stoppedAt, wellAt }: SystemTimes): SystemDatabase {
    const { plan, service, request, outcome, error, live, leftBehind, isSkipped } = this;
    const isRestored = live === 'new' && !isSkipped;
    const rto = isRestored && wellAt !== null ? (wellAt - startedAt) / 1000 : null;
    const dump = outcome?.dump ?? plan.dump;
    const lost = dumpAge({ dump }, stoppedAt ?? startedAt);
    return {
      ...{ service, database: plan.request.database, restoreId: request?.restoreId ?? null },
      ...{ live, dump, leftBehind, error },
      verified: outcome?.report?.outcome ?? null,
      rows: outcome?.report?.after.rows ?? null,
      rto: objectiveOf(plan.rto, rto),
      rpo: objectiveOf(plan.rpo, lost),
      old: live === 'new' ? (outcome?.old ?? null) : null,
    };
  }

  async #begin(): Promise<void> {
    this.#attempts += 1;
    const { request } = this.plan;
    const again = this.#attempts === 1 ? '' : `-${this.#attempts}`;
    const restoreId = `${request.restoreId}-${this.#number}${again}`;
    const attempt: Attempt = {
      request: { ...request, restoreId, isGated: true },
      scope: new CancellationScope(),
      reached: new Set(),
      opened: new Set(),
      line: new SignalLine(),
      ...{ child: null, outcome: null, error: null, isOver: false },
    };
    this.#attempt = attempt;
    try {
      const child = await attempt.scope.run(() =>
        startReachableChild<typeof restoreDump>(workflowTypes.restoreDump, {
          workflowId: restoreWorkflowId(restoreId),
          args: [attempt.request],
          staticSummary: summaryText(`${this.service} (${request.mode})`),
          parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        }),
      );
      attempt.child = child;
      void CancellationScope.nonCancellable(() => child.result()).then(
        (outcome) => end(attempt, outcome, null),
        (error: unknown) => end(attempt, endOf(error), errorOf(error, this.service)),
      );
    } catch (error) {
      attempt.isOver = true;
      throw error;
    }
  }
}

function end(attempt: Attempt, outcome: DumpOutcome | null, error: TableError | null): void {
  attempt.outcome = outcome;
  attempt.error = error;
  attempt.isOver = true;
}

/** What a restore tells that failed or was cancelled. */
function endOf(error: unknown): DumpOutcome | null {
  const cause = causeOf(error);
  if (cause instanceof CancelledFailure) return (cause.details?.[0] as DumpOutcome | undefined) ?? null;
  return detailOf<DumpOutcome>(error);
}

function errorOf(error: unknown, service: string): TableError {
  if (!(causeOf(error) instanceof CancelledFailure)) return toTableError(error);
  const message = `The restore of the dump of ${service} was cancelled.`;
  return { code: 'StepFailed', message, hint: errorTraits.StepFailed.hint };
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : null;
}
