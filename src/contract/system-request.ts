import type { TableError } from './outcome.ts';

/** One request to restore a whole system. What is stopped, started and run stands in the worker's own `system.yaml`. */
export interface SystemRequest {
  readonly restoreId: string;
  /** `systems[].name` of the worker's `system.yaml`. */
  readonly system: string;
  /** Fingerprint of what the system consists of; commands are not in it, as they may be mended while it is restored. */
  readonly fingerprint: string;
  /** The newest dumps not later than this (ISO 8601); null: the newest, or as `system.yaml` says. */
  readonly before: string | null;
  /** Seconds that a failed step waits for {@link Decision}; null: as `system.yaml` says. */
  readonly waitSeconds: number | null;
  /** Seconds without a sign of life after which the work of a worker is given to another. @default 20 */
  readonly heartbeatSeconds?: number;
}

/** What an operator may say of a step that failed. */
export const decisionActions = ['retry', 'skip', 'abort'] as const;
export type DecisionAction = (typeof decisionActions)[number];

/** What becomes of a step that failed and waits. */
export interface Decision {
  /** The step, as progress names it: `stop:1`, `restore:argus`. */
  readonly step: string;
  readonly action: DecisionAction;
}

/** The kinds of steps that are commands or HTTP hooks of `system.yaml`. */
export const hookKinds = ['stop', 'start', 'health', 'logs'] as const;
export type HookKind = (typeof hookKinds)[number];

/** The events that `notify` webhooks are told of. */
export const systemEvents = ['planned', 'started', 'failed', 'done'] as const;
export type SystemEvent = (typeof systemEvents)[number];

/** The gates at which the restore of a dump waits for the system that it is part of: before its load, before its swap. */
export type DumpGate = 'load' | 'swap';

/** From the restore of a dump to that of its system. */
export interface GateReached {
  readonly restoreId: string;
  readonly gate: DumpGate;
}

/** A step that failed and waits for {@link Decision}. */
export interface WaitingStep {
  readonly step: string;
  readonly error: TableError;
  /** When it is given up, ISO 8601. */
  readonly until: string;
}
