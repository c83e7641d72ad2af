import type { DumpReport } from './dump-activities.ts';
import type { DumpRef, DumpRequest } from './dump-request.ts';
import type { TableError } from './outcome.ts';
import type { RestoreProgress } from './progress.ts';
import type { HookKind, SystemEvent, SystemRequest, WaitingStep } from './system-request.ts';

/** A database of a system, and the dump that it is to have. */
export interface PlannedDatabase {
  /** How its dump is restored; the id is that of the system's restore, and the choice the key of {@link dump}. */
  readonly request: DumpRequest;
  /** Services whose databases are verified before this one is loaded. */
  readonly after: readonly string[];
  /** The dump, as it was listed. */
  readonly dump: DumpRef;
  /** Objectives in seconds; null: none. */
  readonly rto: number | null;
  readonly rpo: number | null;
}

/** What a restore of a system begins with. */
export interface SystemPlan {
  readonly databases: readonly PlannedDatabase[];
  /** Names of the commands, HTTP hooks and URLs of each kind, in their order. */
  readonly hooks: Readonly<Record<HookKind, readonly string[]>>;
  /** How many webhooks there are. */
  readonly webhooks: number;
  readonly contacts: readonly string[];
  /** Seconds that a failed step waits for an operator; 0: not at all. */
  readonly waitSeconds: number;
  /** What the user should know: a dump older than its objective allows, and the like. */
  readonly notices: readonly string[];
  /** Whether the search attributes are registered. */
  readonly searchAttributes: boolean;
}

/** A step of a restore of a system. */
export interface SystemStep {
  /** `plan`, `prove:argus`, `stop:1`, `restore:argus`, `swap:argus`, `start:1`, `health:1`, `logs:1`. */
  readonly step: string;
  /** What it is, for people: the name of a command, the key of a dump. */
  readonly what: string;
  /** `abandoned`: another step failed meanwhile, or the restore was cancelled. */
  readonly state: 'running' | 'waiting' | 'done' | 'failed' | 'skipped' | 'abandoned';
  /** Seconds until its end, all tries and waits included. */
  readonly seconds: number;
  /** How often it was tried. */
  readonly tries: number;
  readonly error: TableError | null;
}

/** An objective against what was measured, in seconds; null where there is none, or nothing to measure. */
export interface Objective {
  readonly objective: number | null;
  readonly measured: number | null;
  /** Null where one of them is. */
  readonly met: boolean | null;
}

/** What became of a database of a system. */
export interface SystemDatabase {
  readonly service: string;
  readonly database: string;
  /** The restore of its dump; null where none was begun. */
  readonly restoreId: string | null;
  /** Which database is live: the one before, or the restored one; `unknown` where a swap could not be undone. */
  readonly live: 'old' | 'new' | 'unknown';
  readonly dump: DumpRef | null;
  readonly verified: DumpReport['outcome'] | null;
  /** Rows after the load; null where it was not verified. */
  readonly rows: number | null;
  /** From the beginning until the services were well again. */
  readonly rto: Objective;
  /** From the time of the dump until the services were stopped. */
  readonly rpo: Objective;
  /** The old database, and when it is dropped (ISO 8601). */
  readonly old: { readonly name: string; readonly dropAt: string } | null;
  readonly leftBehind: readonly string[];
  readonly error: TableError | null;
}

/** The end of a restore of a system. */
export interface SystemOutcome {
  readonly restoreId: string;
  readonly system: string;
  readonly state: 'completed' | 'failed' | 'cancelled';
  readonly databases: readonly SystemDatabase[];
  readonly steps: readonly SystemStep[];
  /** Seconds from the first service stopped until all were well again, or were started; null: none was stopped. */
  readonly downtimeSeconds: number | null;
  readonly contacts: readonly string[];
  readonly notices: readonly string[];
  readonly error: TableError | null;
  readonly seconds: number;
}

/** Progress of a restore of a system, the answer of its `progress` query. */
export interface SystemProgress extends RestoreProgress {
  readonly system: string;
  readonly systemSteps: readonly SystemStep[];
  /** Steps that failed and wait for an operator. */
  readonly waiting: readonly WaitingStep[];
  readonly notices: readonly string[];
  /** Null until it has ended; a cancelled workflow has no result, so that this is where its end is told. */
  readonly outcome: SystemOutcome | null;
}

/** Which hook of `system.yaml` is run: never what it does. */
export interface HookInput {
  readonly request: SystemRequest;
  readonly kind: HookKind;
  /** From 0. */
  readonly index: number;
}

/** The activities of systems. */
export interface SystemActivities {
  /** Reads the worker's own `system.yaml`, and finds the dumps. */
  planSystem(request: SystemRequest): Promise<SystemPlan>;
  /** Runs a command, calls an HTTP hook, waits for a URL to answer, or reads a log. */
  runHook(input: HookInput): Promise<void>;
  /** Tells one webhook of an event. */
  notifySystem(input: {
    readonly request: SystemRequest;
    /** From 0. */
    readonly webhook: number;
    readonly event: SystemEvent;
    readonly body: Readonly<Record<string, unknown>>;
  }): Promise<void>;
  /** Makes the old database live again. Gives the name of the one that took its place, to be dropped; null: none. */
  undoSwap(request: DumpRequest): Promise<{ readonly replaced: string | null }>;
}
