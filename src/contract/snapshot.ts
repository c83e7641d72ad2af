import type { TableError } from './outcome.ts';
import type { SchemaStrategy } from './restore-request.ts';
import type { PointInTime } from './snapshot-replay.ts';

/** Why a snapshot was taken: asked for, on a schedule, or before a restore that it can undo. */
export const snapshotTypes = ['manual', 'automated', 'pre_restore'] as const;
export type SnapshotType = (typeof snapshotTypes)[number];

/** A table by its names, as PostgreSQL has them. */
export interface SnapshotTableName {
  readonly schema: string;
  readonly table: string;
}

/** The part of tables that belongs to one tenant: rows whose column equals the value. */
export interface TenantPart {
  readonly column: string;
  /** As PostgreSQL reads it for the type of the column. */
  readonly value: string;
}

/** A column as it was when its table was taken. */
export interface SnapshotColumn {
  readonly name: string;
  /** As `format_type` writes it with `pg_catalog` alone in the search path, modifier included, such as `numeric(10,2)` or `shop.mood`. */
  readonly type: string;
  readonly notNull: boolean;
  /** As SQL; null for none, and for a generated column. */
  readonly default: string | null;
  readonly identity: 'always' | 'by default' | null;
  readonly generated: 'stored' | 'virtual' | null;
}

/** A foreign key that a table had. */
export interface SnapshotForeignKey {
  readonly name: string;
  /** As `pg_get_constraintdef` writes it. */
  readonly definition: string;
  readonly columns: readonly string[];
  readonly referenced: SnapshotTableName;
  readonly referencedColumns: readonly string[];
  readonly deferrable: boolean;
  readonly validated: boolean;
}

/** A file of a table's rows. */
export interface SnapshotPart {
  /** Relative to the folder of the snapshot. */
  readonly key: string;
  /** Of the file as it lies there, in lower-case hexadecimal. */
  readonly sha256: string;
  /** Of its lines before compression. */
  readonly jsonlSha256: string;
  readonly rows: number;
  /** Of the file as it lies there. */
  readonly bytes: number;
}

/** A table within a snapshot. */
export interface SnapshotTable extends SnapshotTableName {
  readonly kind: 'table' | 'partitioned table';
  /** Columns of the primary key, else of a unique key without NULLs; null: nothing tells its rows apart. */
  readonly key: readonly string[] | null;
  /** In the order of the table; each has its value in every row, generated ones too. */
  readonly columns: readonly SnapshotColumn[];
  readonly foreignKeys: readonly SnapshotForeignKey[];
  readonly rows: number;
  /** Of its parts together. */
  readonly bytes: number;
  /** In the order of their numbers; none for an empty table. */
  readonly parts: readonly SnapshotPart[];
  /** All its rows were taken, in a snapshot of a tenant's part of others. @default false */
  readonly whole?: boolean | undefined;
}

/**
 * What a snapshot holds, `manifest.json`: written last, so that a snapshot is there when it is. Rows lie in its parts
 * as an object of JSON a line, each value a string with PostgreSQL's own text of it, or null.
 */
export interface SnapshotManifest {
  readonly version: '1.0';
  readonly encoding: 'pg-text';
  /** Settings that values were written under, and have to be read under. */
  readonly settings: Readonly<Record<string, string>>;
  readonly id: string;
  readonly name: string;
  readonly type: SnapshotType;
  /** The moment of the snapshot, ISO 8601. */
  readonly createdAt: string;
  readonly createdBy: string;
  /** ISO 8601; null: it is kept until it is deleted. */
  readonly expiresAt: string | null;
  /** `databases[].name` */
  readonly database: string;
  readonly serverVersion: string;
  /** Where the WAL was at that moment, `X/Y`. */
  readonly walLsn: string;
  /** Which transactions it saw, as `pg_current_snapshot()` writes it; null: a standby, on which that says less. */
  readonly xactSnapshot?: string | null;
  /** Null: whole tables. */
  readonly tenant: TenantPart | null;
  /** By schema and name. */
  readonly tables: readonly SnapshotTable[];
  readonly totalRows: number;
  readonly bytes: number;
  /** SHA-256 of the keys, SHA-256 and rows of all parts in order; see `digestOfParts`. */
  readonly sha256: string;
}

/** One request to take a snapshot; names only, as in requests to restore. */
export interface CreateSnapshotRequest {
  /** At most 32 of `[a-z0-9-]`, since it is a part of session names; empty: what a schedule starts makes one. */
  readonly id: string;
  readonly fingerprint: string;
  /** `databases[].name` */
  readonly database: string;
  /** For people. */
  readonly name: string;
  readonly type: SnapshotType;
  readonly by: string;
  /** Tables by name; those of {@link schemas} besides. */
  readonly tables: readonly SnapshotTableName[];
  /** Schemas of which every table is taken. */
  readonly schemas: readonly string[];
  readonly tenant: TenantPart | null;
  /** Tables that are taken whole nevertheless: all of them belongs to the tenant. @default none */
  readonly whole?: readonly SnapshotTableName[];
  /** Seconds that it is kept; null: until it is deleted. */
  readonly keep: number | null;
  /** Connections that read at the same time. */
  readonly readers: number;
  /** Bytes of lines, before compression, after which a table goes on in another part. */
  readonly partBytes: number;
  /** Seconds without a sign of life after which the work of a worker is given to another. @default 20 */
  readonly heartbeatSeconds?: number;
}

/** The defaults of a snapshot. A part is read by one session, so it is no larger than a few seconds' work. */
export const snapshotDefaults = { readers: 4, partBytes: 128 * 1024 * 1024 } as const;

/** A snapshot that was taken: what is told of it without its tables' columns. */
export interface SnapshotSummary
  extends Pick<
    SnapshotManifest,
    | 'id'
    | 'name'
    | 'type'
    | 'createdAt'
    | 'createdBy'
    | 'expiresAt'
    | 'database'
    | 'tenant'
    | 'totalRows'
    | 'bytes'
  > {
  readonly tables: readonly (SnapshotTableName & { readonly rows: number })[];
}

/** Where the rows of a restore come from. */
export type SnapshotSource =
  /** One that Thaw has taken into the configured store. */
  | { readonly kind: 'stored'; readonly id: string }
  /** A row of `backup_pitr_snapshots`. */
  | { readonly kind: 'table'; readonly id: string }
  /** An object `{tenant}/{job}-backup.json` in the configured store. */
  | { readonly kind: 'object'; readonly key: string };

/** What becomes of rows: as the snapshot has them, the newer wins, or marked differences alone. */
export const snapshotStrategies = ['overwrite', 'merge', 'selective'] as const;
export type SnapshotStrategy = (typeof snapshotStrategies)[number];

/** One request to bring tables back to a snapshot. */
export interface SnapshotRequest {
  readonly restoreId: string;
  readonly fingerprint: string;
  /** `databases[].name` */
  readonly database: string;
  readonly source: SnapshotSource;
  /** Null: all of the snapshot. */
  readonly tables: readonly SnapshotTableName[] | null;
  readonly strategy: SnapshotStrategy;
  /** Under `merge`: the column by which the newer row wins; else null. */
  readonly newerBy: string | null;
  /** Only this part of the tables is read and written; null: whole tables. */
  readonly tenant: TenantPart | null;
  /** Under `selective`: where the marked differences lie in the configured store; else null. */
  readonly selection: string | null;
  /** What a preview gave; the restore is refused where a table has changed since. Null: not compared. */
  readonly ifUnchanged: string | null;
  /** @default 'strict' */
  readonly schemaStrategy: SchemaStrategy;
  /** Brings the tables to a time behind the snapshot; null: to its own. @default null */
  readonly pointInTime?: PointInTime | null;
  /** Also a snapshot that was restored before. @default false */
  readonly again: boolean;
  /** The restore that this one takes back; null: none. @default null */
  readonly undoes?: string | null;
  /** Takes a snapshot of what is there first. @default true */
  readonly preSnapshot: boolean;
  readonly reason: string;
  readonly by: string;
  /** @default 20 */
  readonly heartbeatSeconds?: number;
}

/** How far a restore is with a table, as the source system's history has it. */
export interface SnapshotStep {
  /** `schema.table` */
  readonly table: string;
  /** `merged`: it is as it is to become, but nobody else sees it before the commit of all. */
  readonly status: 'pending' | 'staging' | 'staged' | 'merging' | 'merged' | 'completed' | 'failed';
  /** 0 to 100: staging is the first half, merging the second. */
  readonly progress_pct: number;
  /** Until it is staged, or merged, at the pace so far. Null where nothing tells it yet. */
  readonly eta_seconds: number | null;
}

/** What a merge did to a table, or would do. */
export interface SnapshotTableResult extends SnapshotTableName {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly unchanged: number;
}

/** The end of a restore of a snapshot: also what `thaw.snapshot_restores` keeps and what `--json` prints. */
export interface SnapshotOutcome {
  readonly restoreId: string;
  readonly state: 'completed' | 'failed' | 'cancelled';
  /** `databases[].name` */
  readonly database: string;
  readonly source: SnapshotSource;
  readonly strategy: SnapshotStrategy;
  /** Taken before, which undoes the restore; null for none. */
  readonly preSnapshotId: string | null;
  /** What was committed; of a restore that failed or was cancelled, none. */
  readonly tables: readonly SnapshotTableResult[];
  /** The transaction that committed them; null where none did. */
  readonly transactionId: string | null;
  readonly notices: readonly string[];
  readonly error: TableError | null;
  /** ISO 8601 */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly seconds: number;
}

/** A restore that goes on, and a snapshot without which it, or its undo, cannot come to its end. */
export interface SnapshotUser {
  readonly snapshotId: string;
  readonly restoreId: string;
}

/** What came of removing snapshots. */
export interface RemovedSnapshots {
  /** Their ids. */
  readonly removed: readonly string[];
  /** Those that restores still need. */
  readonly kept: readonly SnapshotUser[];
}

/** The activities of snapshots, by the names that the UI shows. */
export interface SnapshotActivities {
  /** Reads tables at one moment into the store, and writes the manifest last. */
  writeSnapshot(request: CreateSnapshotRequest): Promise<SnapshotSummary>;
  /** Takes away what was written of a snapshot that has no manifest. */
  discardSnapshot(request: Pick<CreateSnapshotRequest, 'id' | 'database' | 'fingerprint'>): Promise<void>;
  /** Deletes the snapshots of a schedule that have expired, but for `id`, just taken, and those that a restore needs. */
  expireSnapshots(
    request: Pick<CreateSnapshotRequest, 'id' | 'name' | 'database' | 'fingerprint'>,
  ): Promise<RemovedSnapshots>;
}
