/** What happens to a row whose key is in the table already. `overwrite` and `upsert` both update it. */
export const conflictStrategies = ['skip', 'overwrite', 'fail', 'upsert'] as const;
export type ConflictStrategy = (typeof conflictStrategies)[number];

/** What happens when the archived columns are not those of the table. */
export const schemaStrategies = ['strict', 'lenient', 'transform', 'none'] as const;
export type SchemaStrategy = (typeof schemaStrategies)[number];

/** What becomes of a value that the archiver destroyed, such as a path: its row fails, or it is NULL. */
export const unrestorableChoices = ['fail', 'null'] as const;
export type UnrestorableChoice = (typeof unrestorableChoices)[number];

/** What a timestamp or date at the end of Python's calendar is: that value, or the infinity that it may stand for. */
export const infinityChoices = ['keep', 'map'] as const;
export type InfinityChoice = (typeof infinityChoices)[number];

/** When plain indexes are dropped for the load: never, where the archives bring much beside what is there, or always. */
export const dropIndexesChoices = ['never', 'when_it_pays', 'always'] as const;
export type DropIndexesChoice = (typeof dropIndexesChoices)[number];

/** How a restore is done; every field has a value by the time a workflow sees it. */
export interface RestoreOptions {
  /** @default 'skip' */
  readonly conflictStrategy: ConflictStrategy;
  /** @default 'lenient' */
  readonly schemaStrategy: SchemaStrategy;
  /** Columns that tell rows apart, where the table's own key is not to; null: the table's own key. */
  readonly keyColumns: readonly string[] | null;
  /** Archived columns to restore, by their archived names; null: all. */
  readonly columns: readonly string[] | null;
  /** Archived column -> column of the table, where the names differ. */
  readonly renamedColumns: Readonly<Record<string, string>>;
  /** Keeps the table's triggers from firing on what is restored. @default false */
  readonly disableTriggers: boolean;
  /** Keeps what is changed, so that the restore can be undone. @default false */
  readonly undoable: boolean;
  /** Makes a table that is not there from its archived schema. @default false */
  readonly createTable: boolean;
  /** @default 'fail' */
  readonly unrestorable: UnrestorableChoice;
  /** @default 'keep' */
  readonly infinity: InfinityChoice;
  /** Only rows at or after this time by the table's own timestamp column, as PostgreSQL reads it; null: all. */
  readonly rowsFrom: string | null;
  /** Only rows before this time; a day alone means its end. Null: all. */
  readonly rowsTo: string | null;
  /** Rows of one archive that may be left out, into `thaw.rejected_rows`, before it fails. @default 0 */
  readonly maxRejects: number;
  /** Rows merged by one statement; null: an archive at once. @default null */
  readonly batchSize: number | null;
  /** Reads every archive to its end before anything is loaded. @default false */
  readonly verifyFirst: boolean;
  /** Believes a watermark that the archiver's own tool wrote, beside an empty ledger. @default false */
  readonly trustWatermark: boolean;
  /** Concurrent loads for each table. @default 4 */
  readonly lanes: number;
  /** Compressed bytes of small archives that share one child workflow; 0: none share. @default 4 MiB */
  readonly packBytes: number;
  /** Archives in one transaction; null: as many as `packBytes` allows. @default null */
  readonly commitFrequency: number | null;
  /** First day of archiving to restore, `YYYY-MM-DD`, inclusive. */
  readonly startDate: string | null;
  /** Last day of archiving to restore, `YYYY-MM-DD`, inclusive. */
  readonly endDate: string | null;
  /** Passes over what earlier restores wrote in the ledger. @default false */
  readonly ignoreWatermark: boolean;
  /** @default true */
  readonly validateChecksums: boolean;
  /** @default 'never' */
  readonly dropIndexes: DropIndexesChoice;
  /** What is restored is thrown away: it leaves no watermark, and passes for restored nowhere. @default false */
  readonly rehearsal?: boolean;
  /** Starts nothing more after the first archive that failed. @default false */
  readonly failFast: boolean;
  /** Seconds without a sign of life after which a load is given to another worker. @default 20 */
  readonly heartbeatSeconds: number;
}

/** The defaults of {@link RestoreOptions}, for CLI, API and tests alike. */
export const defaultRestoreOptions: RestoreOptions = {
  conflictStrategy: 'skip',
  schemaStrategy: 'lenient',
  keyColumns: null,
  columns: null,
  renamedColumns: {},
  disableTriggers: false,
  undoable: false,
  createTable: false,
  unrestorable: 'fail',
  infinity: 'keep',
  rowsFrom: null,
  rowsTo: null,
  maxRejects: 0,
  batchSize: null,
  verifyFirst: false,
  trustWatermark: false,
  lanes: 4,
  packBytes: 4 * 1024 * 1024,
  commitFrequency: null,
  startDate: null,
  endDate: null,
  ignoreWatermark: false,
  validateChecksums: true,
  dropIndexes: 'never',
  failFast: false,
  heartbeatSeconds: 20,
};

/** One table to restore: where it was archived from, and where its rows go. */
export interface TableRequest {
  /** The table as archived: the folder `{prefix}/{database}/{table}/`. */
  readonly table: string;
  /** The schema that it was archived from. @default 'public' */
  readonly schema: string;
  /** The schema that the rows go into. */
  readonly intoSchema: string;
  /** The table that the rows go into. */
  readonly intoTable: string;
}

/**
 * One request to restore. It holds names only; workers find credentials in their own configuration,
 * and refuse the request when its fingerprint is not theirs.
 */
export interface RestoreRequest {
  /** Names the restore everywhere: workflow id `restore/{restoreId}`, ledger, API. At most 32 of `[a-z0-9-]`, since it is a part of session names. */
  readonly restoreId: string;
  /** Fingerprint of what is not secret in the configuration of this database (src/config/fingerprint.ts). */
  readonly fingerprint: string;
  /** `databases[].name`: the database as archived, and the target's. */
  readonly database: string;
  /** The tables to restore; null: every table configured for the database. */
  readonly tables: readonly TableRequest[] | null;
  /** Exactly these archives (keys with or without prefix); null: all of each table. */
  readonly keys: readonly string[] | null;
  readonly options: RestoreOptions;
}
