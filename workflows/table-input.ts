import type { PreparedTable, TableScope } from '../src/contract/activities.ts';
import type { RestoreOptions } from '../src/contract/restore-request.ts';
import type { WatermarkPosition } from '../src/contract/watermark.ts';
import type { CarriedQueue } from '../src/restore/archive-queue.ts';
import type { CarriedResults } from '../src/restore/table-results.ts';
import type { ControlState } from './control.ts';

/** What restore-all gives a table, and what it carries over continue-as-new. */
export interface RestoreTableInput {
  readonly scope: TableScope;
  readonly options: RestoreOptions;
  /** Exactly these archives; null: all. */
  readonly keys: readonly string[] | null;
  readonly searchAttributes: boolean;
  /** Begins paused when the restore is. */
  readonly control: ControlState;
  /** Null in the first run of its workflow. */
  readonly carried: CarriedTable | null;
}

/** A table between two runs of its workflow: everything in flight was drained before. */
export interface CarriedTable {
  readonly prepared: PreparedTable;
  readonly queue: CarriedQueue;
  readonly results: CarriedResults;
  /** Archives of the present round of those that were deferred; null before the first. */
  readonly round: number | null;
  readonly watermark: WatermarkPosition;
}
