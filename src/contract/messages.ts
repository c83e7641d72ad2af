import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { TableOutcome } from './outcome.ts';
import type { RestoreProgress, RestoreState, TableProgress } from './progress.ts';
import type { Decision, DumpGate, GateReached } from './system-request.ts';

/** What a pause says besides: why, and whether loads in flight are rolled back now or may finish. */
export interface PauseRequest {
  readonly reason: string | null;
  /** Rolls back what is in flight; it is done again at resume. @default false */
  readonly now: boolean;
}

/** Pauses a restore: accepted at once, or refused when it has ended or is being cancelled. Answers with the new state. */
export const pauseUpdate = defineUpdate<RestoreState, [PauseRequest]>('pause');
/** Goes on with a paused restore: refused when it is not paused. Answers with the new state. */
export const resumeUpdate = defineUpdate<RestoreState>('resume');

/** The same as signals, for `temporal workflow signal` and for restore-all to relay to its tables. */
export const pauseSignal = defineSignal<[string?, boolean?]>('pause');
export const resumeSignal = defineSignal('resume');
/** Does what Temporal's own cancel does, with a reason. */
export const cancelSignal = defineSignal<[string?]>('cancel');

/** Progress of a restore, answered by `restore/{id}`. */
export const progressQuery = defineQuery<RestoreProgress>('progress');
/** Progress of a table, answered by `target/{database}/{schema}.{table}`. */
export const tableProgressQuery = defineQuery<TableProgress>('progress');

/** From a table to its restore: what was done until it was cancelled. */
export const tableCancelledSignal = defineSignal<[TableOutcome]>('tableCancelled');
/** From a table to its restore, now and then: how far it is, and that it pauses or goes on. */
export const tableProgressSignal = defineSignal<[TableProgress]>('tableProgress');

/** From a restore of a dump to what holds its database: it may go. */
export const releaseSignal = defineSignal('release');

/** From a restore of a dump to that of its system: it waits at a gate. */
export const gateReachedSignal = defineSignal<[GateReached]>('gateReached');
/** From a restore of a system to those of its dumps: it may go through a gate. */
export const proceedSignal = defineSignal<[DumpGate]>('proceed');
/** What becomes of a failed step of a system: refused unless it waits for that. */
export const decideUpdate = defineUpdate<void, [Decision]>('decide');
