import type pg from 'pg';
import type { AskedRange } from '../config/row-range.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import type { SchemaMark } from '../restore/schema-migration.ts';
import type { ArchiveStore } from '../store/object-store.ts';
import type { ConflictHints } from './conflict-hints.ts';
import type { LoadLedger } from './load-ledger.ts';
import type { LoadProgress } from './load-progress.ts';

/** What a load works with. */
export interface LoadTools {
  readonly store: ArchiveStore;
  readonly target: TargetTable;
  readonly progress: LoadProgress;
  readonly hints: ConflictHints;
  /** Only rows of this time; null: all. */
  readonly range: AskedRange | null;
  /** That the restore has found with its archives. */
  readonly schemas: readonly SchemaMark[];
  /** The folder is configured for tables of several schemas. */
  readonly sharedFolder: boolean;
  /** What is undone together with the load. @default the restore of the load */
  readonly undoneWith?: string;
  /** @default the ledger of restored archives */
  readonly ledger?: LoadLedger;
  /** Of the activity: names the session, so that a later attempt can end it. */
  readonly attempt: number;
  readonly signal: AbortSignal;
  /** Opens a connection under a name. */
  connect(applicationName: string): Promise<pg.Client>;
}
