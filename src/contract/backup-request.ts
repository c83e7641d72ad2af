/** One request to dump the database of a service into its store. */
export interface BackupRequest {
  /** `services[].name` of the worker's configuration. */
  readonly service: string;
  /** Fingerprint of what is not secret of that service. */
  readonly fingerprint: string;
  /** `host:port` of its PostgreSQL server. */
  readonly server: string;
  readonly database: string;
  readonly format: BackupFormat;
  /** Further options of pg_dump, checked. */
  readonly options: readonly string[];
  /** Seconds without a sign of life after which the work of a worker is given to another. @default 20 */
  readonly heartbeatSeconds?: number;
}

/** Formats that pg_dump writes as a stream. */
export type BackupFormat = 'tar' | 'custom' | 'plain';

/** A dump that was made. */
export interface BackupOutcome {
  readonly key: string;
  /** As it lies in the store. */
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
  /** Of the server, such as `15.18`; null where the dump does not tell. */
  readonly serverVersion: string | null;
  readonly tables: number;
  /** In all tables together; null where they could not be counted. */
  readonly rows: number | null;
  /** What pg_dump said, scrubbed, and what could not be counted; at most 20 lines. */
  readonly warnings: readonly string[];
  readonly seconds: number;
}

/** The activities of backups. */
export interface BackupActivities {
  /** Has pg_dump write into the store, and puts a manifest beside what it wrote. */
  backUpDatabase(request: BackupRequest): Promise<BackupOutcome>;
}
