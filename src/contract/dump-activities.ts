import type { DumpCompression, DumpFormat, DumpMode, DumpRef, DumpRequest } from './dump-request.ts';
import type { TableError } from './outcome.ts';
import type { RestoreProgress } from './progress.ts';

/** The dumps that come into question: the chosen one, then the earlier ones, newest first. */
export interface ChosenDumps {
  readonly candidates: readonly DumpRef[];
  /** What the user should know: name and LastModified disagree, and the like. */
  readonly notices: readonly string[];
}

/** What a restore of a dump begins with. */
export interface DumpPlan extends ChosenDumps {
  /** Whether the search attributes are registered: setting one that is not makes workflow tasks fail for ever. */
  readonly searchAttributes: boolean;
}

/** Rows of one table, as far as they are known. */
export interface TableRows {
  /** `schema.table`, quoted where need be. */
  readonly table: string;
  /** In the database before anything was touched. */
  readonly before: number | null;
  /** Whether that is PostgreSQL's estimate, for want of time to count. */
  readonly beforeIsEstimate: boolean;
  /** In the dump. */
  readonly dump: number | null;
  /** In the database after the load. */
  readonly after: number | null;
}

/** What was found in a dump that was read to its end. Bounded: what grows with its tables is in `thaw.dump_proofs`. */
export interface DumpProof {
  readonly dump: DumpRef;
  readonly format: DumpFormat;
  readonly compression: DumpCompression;
  /** Version of the server that was dumped, such as `15.18`; null where the dump does not tell. */
  readonly serverVersion: string | null;
  /** Version of pg_dump. */
  readonly dumpVersion: string | null;
  /** Name of the database that was dumped; null where it does not tell. */
  readonly database: string | null;
  readonly tables: number;
  /** Null where the format does not allow to count them. */
  readonly rows: number | null;
  /** Decompressed bytes. */
  readonly bytes: number;
  readonly extensions: readonly string[];
  /** Roles that own or are granted something, at most 100. */
  readonly roles: readonly string[];
  /** Whether it drops tables before it makes them: plain SQL of `pg_dump --clean`. */
  readonly dropsTables: boolean;
  /**
   * What proves that no byte was changed: `manifest`, `.sha256` or `.md5` beside it, `ETag`, its wrapping (`gzip`,
   * `zstd`), or `zlib` within, for rows alone. Null: nothing does.
   */
  readonly checksum?: string | null;
  readonly notices: readonly string[];
}

/** A database as it was before anything was touched. */
export interface DatabaseFacts {
  readonly database: string;
  /** Null where it is not there. */
  readonly oid: number | null;
  /** Version of the server, such as `15.18`. */
  readonly serverVersion: string;
  readonly bytes: number;
  readonly tables: number;
  /** In all tables together. */
  readonly rows: number;
  /** Tables whose rows were not counted: estimated by PostgreSQL, or left out of {@link rows}. */
  readonly estimated: number;
}

/** What was found where a dump is to go, before anything is touched. */
export interface SurveyedTarget {
  /** Null where the database is not there yet. */
  readonly before: DatabaseFacts | null;
  readonly notices: readonly string[];
  /** Of a dry run: what would be done, a line each. */
  readonly wouldDo?: readonly string[];
}

/** What a load brought. */
export interface DumpLoad {
  /** The database that was loaded: a new one beside the live one, or the live one itself. */
  readonly database: string;
  readonly seconds: number;
  /** What pg_restore or psql said, scrubbed; at most 20 lines. */
  readonly warnings: readonly string[];
}

/** One thing that was looked at after a load. */
export interface DumpCheck {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped' | 'warning';
  readonly detail: string;
}

/** Whether a restored database is what its dump says. */
export interface DumpReport {
  /** `inconclusive`: nothing failed, but not everything could be looked at. */
  readonly outcome: 'verified' | 'failed' | 'inconclusive';
  readonly checks: readonly DumpCheck[];
  /** At most {@link maxTablesReported}, those that differ first. */
  readonly tables: readonly TableRows[];
  readonly before: DatabaseFacts | null;
  readonly after: DatabaseFacts;
}

/** How many tables a report tells of one by one; `thaw.dump_restores` has them all. */
export const maxTablesReported = 200;

/** A swap that was done. */
export interface DumpSwap {
  /** The name that the old database is kept under; null where there was none. */
  readonly old: string | null;
  /** When that one is dropped, ISO 8601. */
  readonly dropAt: string | null;
  /** What was not carried over, since the new database has no counterpart. */
  readonly notices: readonly string[];
}

/** What became of a load that came to no good end. */
export interface DiscardedLoad {
  /** Databases that are still there. */
  readonly leftBehind: readonly string[];
  /** What the user has to know of the live database. */
  readonly notices: readonly string[];
}

/** The steps of a restore of a dump, in their order. */
export const dumpSteps = ['choose', 'prove', 'survey', 'load', 'verify', 'swap', 'finish'] as const;
export type DumpStep = (typeof dumpSteps)[number];

/** Progress of a restore of a dump, the answer of its `progress` query: the one of all restores, and its steps. */
export interface DumpProgress extends RestoreProgress {
  readonly service: string;
  readonly mode: DumpMode;
  readonly step: DumpStep;
  readonly dump: DumpRef | null;
  readonly steps: readonly { readonly step: DumpStep; readonly seconds: number }[];
  readonly notices: readonly string[];
  /** Null until it has ended; a cancelled workflow has no result, so that this is where its end is told. */
  readonly outcome: DumpOutcome | null;
}

/** The end of a restore of a dump. */
export interface DumpOutcome {
  readonly restoreId: string;
  readonly state: 'completed' | 'failed' | 'cancelled';
  readonly service: string;
  readonly database: string;
  readonly mode: DumpMode;
  /** The dump that was restored, or was to be. */
  readonly dump: DumpRef | null;
  /** Dumps that were not good, newest first, with the reason. */
  readonly passedOver: readonly { readonly key: string; readonly reason: string }[];
  readonly proof: DumpProof | null;
  readonly report: DumpReport | null;
  /** The old database, and when it is dropped (ISO 8601). */
  readonly old: { readonly name: string; readonly dropAt: string } | null;
  /** What is left behind after a failure, by name. */
  readonly leftBehind: readonly string[];
  readonly notices: readonly string[];
  readonly error: TableError | null;
  readonly seconds: number;
  /** Of a dry run that has found everything good: what would be done, a line each. */
  readonly wouldDo?: readonly string[];
}

/** An old database that is dropped in time. */
export interface OldDatabase {
  readonly request: DumpRequest;
  readonly name: string;
  /** ISO 8601. */
  readonly dropAt: string;
}

/** The activities of dumps, by the names that the UI shows. Each file of activities/ implements one. */
export interface DumpActivities {
  /** Checks the request against the worker's own configuration and the database, lists the dumps of the service and chooses. */
  chooseDump(request: DumpRequest): Promise<DumpPlan>;
  /** Reads a dump to its end: whole, usable by this server, with what it needs. Keeps what it found. */
  proveDump(input: { readonly request: DumpRequest; readonly dump: DumpRef }): Promise<DumpProof>;
  /** Writes down what the live database is, and sees that it may be replaced and that its server can take the dump. */
  surveyDatabase(input: {
    readonly request: DumpRequest;
    readonly proof: DumpProof;
  }): Promise<SurveyedTarget>;
  /** Makes the new database where the mode asks for it, and loads. */
  loadDump(input: { readonly request: DumpRequest; readonly proof: DumpProof }): Promise<DumpLoad>;
  /** Looks at what was loaded. */
  verifyDump(input: {
    readonly request: DumpRequest;
    readonly proof: DumpProof;
    readonly load: DumpLoad;
    readonly before: DatabaseFacts | null;
  }): Promise<DumpReport>;
  /** Carries owner, privileges and settings over, then renames both databases in one transaction. */
  swapDatabase(input: {
    readonly request: DumpRequest;
    readonly load: DumpLoad;
    readonly before: DatabaseFacts | null;
  }): Promise<DumpSwap>;
  /** Removes the new database of a restore that came to no good end; nothing there is as good. Tells what is left. */
  discardLoad(request: DumpRequest): Promise<DiscardedLoad>;
  /** Drops the old database of a swap, unless it was swapped back or is kept. */
  dropOldDatabase(old: OldDatabase): Promise<void>;
  /** Finds out which workflow the holder of a database works for; null where it has ended by now. */
  nameHolder(input: { readonly workflowId: string }): Promise<string | null>;
  /** Writes state and outcome into `thaw.dump_restores`; where it may not, it says so once. */
  recordDump(input: {
    readonly request: DumpRequest;
    readonly state: RestoreProgress['state'];
    readonly outcome: DumpOutcome | null;
  }): Promise<readonly string[]>;
}
