import type { DumpCheck } from './dump-activities.ts';
import type { TableError } from './outcome.ts';
import type { RestoreProgress } from './progress.ts';

/** Where recovery stops. */
export type RecoveryTarget =
  /** ISO 8601, up to microseconds. */
  | { readonly kind: 'time'; readonly time: string }
  /** `X/Y` in hexadecimal. */
  | { readonly kind: 'lsn'; readonly lsn: string }
  | { readonly kind: 'xid'; readonly xid: string }
  /** Made by `pg_create_restore_point`. */
  | { readonly kind: 'name'; readonly name: string }
  /** The end of the archived WAL. */
  | { readonly kind: 'latest' };

/** One request to recover a cluster from a base backup and archived WAL. Paths are of the worker's machine. */
export interface PitrRequest {
  readonly restoreId: string;
  /** An absolute path, or `s3://bucket/prefix` in the configured object store. */
  readonly base: string;
  /** The same. */
  readonly wal: string;
  /** Fingerprint of that object store; empty where neither lies there. */
  readonly fingerprint: string;
  readonly target: RecoveryTarget;
  /** Stops before what the target names, in place of after it. */
  readonly isExclusive: boolean;
  /** `latest`, `current`, or the number of a timeline. */
  readonly timeline: string;
  /** The new folder, absolute. */
  readonly into: string;
  /** Null: any that is free. */
  readonly port: number | null;
  /** The superuser who verifies. */
  readonly user: string;
  /** The database that {@link checks} are asked in. */
  readonly database: string;
  /** Statements that must give true. */
  readonly checks: readonly string[];
  /** Whether the server is left running. */
  readonly keepRunning: boolean;
  /** Seconds without a sign of life after which the work of a worker is given to another. @default 20 */
  readonly heartbeatSeconds?: number;
}

/** What a recovery begins with. */
export interface PitrPlan {
  readonly kind: 'plain' | 'tar';
  /** Where its WAL begins, `X/Y`. */
  readonly startLsn: string;
  /** When the backup began, as it says itself. */
  readonly startedAt: string | null;
  readonly timeline: number;
  /** Of the whole backup unpacked, where its manifest tells; else as it lies there. */
  readonly bytes: number;
  /** Segments that are there, first and last by name, and the one that is missing while later ones are there. */
  readonly wal: {
    readonly first: string;
    readonly last: string;
    readonly segments: number;
    readonly missing: string | null;
  };
  readonly notices: readonly string[];
  /** Whether the search attributes are registered: setting one that is not makes workflow tasks fail for ever. */
  readonly searchAttributes: boolean;
}

/** A base backup that was unpacked. */
export interface UnpackedBase {
  /** Such as `15`. */
  readonly major: number;
  readonly files: number;
  readonly bytes: number;
  /** Whether every file was compared with the manifest. */
  readonly isVerified: boolean;
  readonly notices: readonly string[];
}

/** WAL that was fetched. */
export interface FetchedWal {
  readonly segments: number;
  readonly bytes: number;
}

/** A cluster that was recovered, and promoted. */
export interface RecoveredCluster {
  readonly port: number;
  readonly serverVersion: string;
  /** How PostgreSQL says where it stopped; null at the end of the WAL. */
  readonly stoppedAt: string | null;
  /** Where its new timeline begins. */
  readonly lsn: string;
  readonly timeline: number;
  /** ISO 8601, of the last transaction that was replayed; null where there was none. */
  readonly lastCommitAt: string | null;
  readonly notices: readonly string[];
}

/** Whether a recovered cluster can be used. */
export interface PitrReport {
  readonly outcome: 'verified' | 'failed';
  readonly checks: readonly DumpCheck[];
  /** At most {@link maxDatabasesReported}. */
  readonly databases: readonly RecoveredDatabase[];
}

/** A database of a recovered cluster. */
export interface RecoveredDatabase {
  readonly name: string;
  readonly bytes: number;
  /** Null where it takes no connections. */
  readonly tables: number | null;
}

/** How many databases a report tells of one by one. */
export const maxDatabasesReported = 100;

/** The steps of a recovery, in their order. */
export const pitrSteps = ['check', 'unpack', 'fetch', 'recover', 'verify', 'finish'] as const;
export type PitrStep = (typeof pitrSteps)[number];

/** What a recovery does at the moment, by the heartbeats of its activity. */
export interface PitrHeartbeat {
  /** Read so far by this attempt. */
  readonly bytes: number;
  /** Position and time of what was replayed last. */
  readonly lsn: string | null;
  readonly time: string | null;
}

/** Progress of a recovery: the one of all restores, and its steps. */
export interface PitrProgress extends RestoreProgress {
  readonly pitrStep: PitrStep;
  readonly into: string;
  /** Null where nobody asked for it, or nothing is done that tells. */
  readonly now: PitrHeartbeat | null;
  readonly notices: readonly string[];
  /** Null until it has ended; a cancelled workflow has no result, so that this is where its end is told. */
  readonly outcome: PitrOutcome | null;
}

/** The end of a recovery. */
export interface PitrOutcome {
  readonly restoreId: string;
  readonly state: 'completed' | 'failed' | 'cancelled';
  readonly base: string;
  readonly target: RecoveryTarget;
  readonly plan: PitrPlan | null;
  readonly recovered: RecoveredCluster | null;
  readonly report: PitrReport | null;
  /** The folder of the new cluster, which PostgreSQL calls PGDATA. */
  readonly data: string | null;
  readonly isRunning: boolean;
  /** Seconds from the start until it was verified. */
  readonly rtoSeconds: number | null;
  /** Seconds from the last transaction that came back to the target, or for `latest` to the start of the recovery. */
  readonly rpoSeconds: number | null;
  readonly leftBehind: readonly string[];
  readonly notices: readonly string[];
  readonly error: TableError | null;
  readonly seconds: number;
}

/** The activities of recoveries, by the names that the UI shows. Each file of activities/ implements one. */
export interface PitrActivities {
  /** Sees that the base backup is one, that the target lies behind it, and that no WAL is missing up to it. */
  checkBase(request: PitrRequest): Promise<PitrPlan>;
  /** Makes the folder, unpacks the base backup there and compares it with its manifest. */
  unpackBase(request: PitrRequest): Promise<UnpackedBase>;
  /** Brings the WAL into the folder. */
  fetchWal(request: PitrRequest): Promise<FetchedWal>;
  /** Starts the server there and waits until it has recovered and is promoted. */
  recoverCluster(input: {
    readonly request: PitrRequest;
    readonly plan: PitrPlan;
  }): Promise<RecoveredCluster>;
  /** Looks at what was recovered. */
  verifyCluster(request: PitrRequest): Promise<PitrReport>;
  /** Removes the WAL that was fetched, and stops the server where that is asked for. */
  finishCluster(request: PitrRequest): Promise<void>;
  /** Stops the server and removes the folder of a recovery that came to no good end; nothing there is as good. */
  discardCluster(request: PitrRequest): Promise<void>;
}
