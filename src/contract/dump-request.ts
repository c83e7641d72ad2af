/**
 * How a dump gets into its database.
 *
 * swap           into a new database beside the live one, verified, then swapped by rename; the old one is kept.
 * recreate       the database is dropped and made anew, then loaded.
 * into-existing  loaded into the database that is there; the only mode for parts of a dump.
 */
export const dumpModes = ['swap', 'recreate', 'into-existing'] as const;
export type DumpMode = (typeof dumpModes)[number];

/** What a dump is by its bytes; `cluster` is what pg_dumpall writes, `directory` a tar of such a folder. */
export const dumpFormats = ['tar', 'custom', 'directory', 'plain', 'cluster'] as const;
export type DumpFormat = (typeof dumpFormats)[number];

/** What a dump is wrapped in. */
export const dumpCompressions = ['none', 'gzip', 'zstd'] as const;
export type DumpCompression = (typeof dumpCompressions)[number];

/** The sections that pg_restore knows. */
export const dumpSections = ['pre-data', 'data', 'post-data'] as const;
export type DumpSection = (typeof dumpSections)[number];

/** A dump as a listing tells it. */
export interface DumpRef {
  readonly key: string;
  /** As it lies there. */
  readonly bytes: number;
  readonly etag: string;
  /** ISO 8601. */
  readonly modifiedAt: string;
  /** The time in its name, ISO 8601; null where it has none. */
  readonly takenAt: string | null;
}

/** Which dump of a service. */
export type DumpChoice =
  /** By its key, with or without the subfolder. */
  | { readonly kind: 'key'; readonly key: string }
  /** A file of the worker's machine, which the command line alone may name. */
  | { readonly kind: 'file'; readonly path: string }
  /** The newest, or the newest that is not later than `before` (ISO 8601). */
  | { readonly kind: 'latest'; readonly before: string | null };

/** What of a dump is restored; everything empty and false: all of it. */
export interface DumpPart {
  /** As `--only-table` names them: `table` or `schema.table`, quoted where need be. */
  readonly tables: readonly string[];
  readonly schemas: readonly string[];
  readonly sections: readonly DumpSection[];
  readonly dataOnly: boolean;
  readonly schemaOnly: boolean;
  /** Drops what the dump holds before making it. */
  readonly clean: boolean;
}

/** All of a dump. */
export const wholeDump: DumpPart = {
  tables: [],
  schemas: [],
  sections: [],
  dataOnly: false,
  schemaOnly: false,
  clean: false,
};

/** One request to restore a dump into the database of a service. */
export interface DumpRequest {
  /** Empty: that of the workflow, as a schedule starts one request again and again. */
  readonly restoreId: string;
  /** `services[].name` of the worker's configuration. */
  readonly service: string;
  /** Fingerprint of what is not secret of that service. */
  readonly fingerprint: string;
  /** `host:port` of its PostgreSQL server: with {@link database} the name of the visible lock. */
  readonly server: string;
  /** The database that is live after the restore: `into`, or the service's own. */
  readonly database: string;
  readonly choice: DumpChoice;
  readonly mode: DumpMode;
  /** The database that it goes into; null: the service's own. */
  readonly into: string | null;
  /** Whether the database may be made where it is not there. */
  readonly create: boolean;
  /** The role that is to own the database and its objects; null: as the live one, else the service's user. */
  readonly owner: string | null;
  readonly part: DumpPart;
  /** Further options of pg_restore, checked; one that a part follows from stands in `part` instead. */
  readonly options: readonly string[];
  /** So many earlier dumps are tried where the chosen one is not good. @default 0 */
  readonly fallback: number;
  /** How long the old database is kept after a swap. */
  readonly keepOldSeconds: number;
  /** Sessions of pg_restore for custom and directory dumps; null: as many as cores. */
  readonly jobs: number | null;
  /** "errors ignored on restore" is no failure. */
  readonly allowErrors: boolean;
  /** Statements that must give true after the load. */
  readonly checks: readonly string[];
  /** URLs that must answer with success after the load. */
  readonly checkUrls: readonly string[];
  /** Everything is looked at and told, and nothing is touched. @default false */
  readonly dryRun?: boolean;
  /** It is part of the restore of a system, and waits for it before its load and before its swap. */
  readonly isGated?: boolean;
  /** Seconds without a sign of life after which the work of a worker is given to another. @default 20 */
  readonly heartbeatSeconds?: number;
}
