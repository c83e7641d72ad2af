import type { DatabaseConfig } from '../../config/thaw-config.ts';
import type { DumpProof } from '../../contract/dump-activities.ts';
import type { DumpPart } from '../../contract/dump-request.ts';
import type { ArchiveStore } from '../../store/object-store.ts';

/** A dump and where it goes. */
export interface DumpToLoad {
  readonly restoreId: string;
  readonly store: ArchiveStore;
  readonly proof: DumpProof;
  /** The database that is loaded; for `cluster`, the one that psql connects to first. */
  readonly connection: DatabaseConfig;
  readonly part: DumpPart;
  /** Further options of pg_restore; read once more here, by the same closed list. */
  readonly options: readonly string[];
  /** Sessions of pg_restore for custom and directory dumps; null: as many as cores. */
  readonly jobs: number | null;
  /** Errors of statements are warnings. */
  readonly allowErrors: boolean;
  /**
   * All or nothing: for a database that is in use. Takes one session, and with pg_restore no errors can be
   * allowed. Plain dumps are loaded so in any case.
   */
  readonly oneTransaction: boolean;
  /** What pg_dumpall wrote is loaded: it makes roles and databases of the whole server, and not in one transaction. */
  readonly cluster: boolean;
  /** Where the password is looked for, `PG_BIN`, `PATH` and `THAW_SPOOL_DIR`. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: DumpLoadProgress) => void;
}

/** How far a load is. */
export interface DumpLoadProgress {
  /** `spool`: the dump is written to a file, since pg_restore needs one to load with several sessions. */
  readonly stage: 'spool' | 'load';
  /** Bytes of the object that were read in this stage. */
  readonly bytes: number;
}

/** What a load brought. */
export interface LoadedDump {
  readonly seconds: number;
  /** What pg_restore or psql said, scrubbed; at most 20 lines. */
  readonly warnings: readonly string[];
}
