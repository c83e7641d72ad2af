import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { cancelWorkflow } from '../../activities/cancel-workflow.ts';
import type {
  Activities,
  ArchiveRef,
  CommittedTally,
  FinishTableInput,
  LoadInput,
  LoadOutcome,
  PlannedTable,
  RecordRestoreInput,
  RestorePlan,
  VerifyArchivesInput,
} from '../../src/contract/activities.ts';
import type { BackupActivities } from '../../src/contract/backup-request.ts';
import type { BundleActivities } from '../../src/contract/bundle-activities.ts';
import type { DrillActivities } from '../../src/contract/drill.ts';
import type { DumpActivities } from '../../src/contract/dump-activities.ts';
import type { ErrorCode } from '../../src/contract/error-code.ts';
import type { ExtractActivities } from '../../src/contract/extract-request.ts';
import type { ArchiveFailure } from '../../src/contract/outcome.ts';
import type { PitrActivities } from '../../src/contract/pitr.ts';
import type { SnapshotActivities } from '../../src/contract/snapshot.ts';
import type { SnapshotRestoreActivities } from '../../src/contract/snapshot-restore.ts';
import type { SystemActivities } from '../../src/contract/system-activities.ts';
import type { UndoActivities } from '../../src/contract/undo-request.ts';
import { addTallies, emptyTally } from '../../src/restore/tally.ts';

/** Rows that every archive of the fake holds. */
export const rowsOfArchive = 10;

/** Stands in for store and database, so that a test decides how each load goes, and sees what was asked of it. */
export class FakeDatabase {
  tables: PlannedTable[] = [];
  searchAttributes = false;
  /** By the name of the archived table. */
  readonly archives = new Map<string, readonly ArchiveRef[]>();
  /** How a load goes, in place of success. */
  load: (input: LoadInput) => Promise<LoadOutcome> | LoadOutcome = restored;
  prepare: (table: string) => void = () => {};
  finish: (input: FinishTableInput) => readonly string[] = () => [];
  /** While it is closed, no load ends. */
  readonly gate = new Gate();
  /** While it is closed, no page after the first is listed. */
  readonly listGate = new Gate();

  /** While it is closed, no plan ends. */
  readonly planGate = new Gate();
  /** While it is closed, no verification ends. */
  readonly verifyGate = new Gate();
  /** Archives that do not pass, by the name of their table. */
  readonly unsound = new Map<string, readonly ArchiveFailure[]>();
  /** What was committed, by the name of the table. */
  readonly ledger = new Map<string, CommittedTally>();

  /** What was done, in order: `prepare orders`, `finish orders`. */
  readonly steps: string[] = [];
  readonly loads: LoadInput[] = [];
  readonly finished: FinishTableInput[] = [];
  readonly recorded: RecordRestoreInput[] = [];
  /** Events of the audit trail: `restore_start orders`. */
  readonly audited: string[] = [];
  /** Archives by their place, for each table: what a database would hold. */
  readonly committed = new Map<string, Map<number, string>>();
  /** Places that were committed twice. */
  readonly doubled: string[] = [];
  rolledBack = 0;
  inFlight = 0;
  mostInFlight = 0;

  activities(): Omit<
    Activities,
    | keyof BackupActivities
    | keyof BundleActivities
    | keyof DrillActivities
    | keyof DumpActivities
    | keyof ExtractActivities
    | keyof SystemActivities
    | keyof PitrActivities
    | keyof UndoActivities
    | keyof SnapshotActivities
    | keyof SnapshotRestoreActivities
  > {
    return {
      createTables: async () => {},
      planRestore: async (): Promise<RestorePlan> => {
        if (this.planGate.isClosed) {
          this.steps.push('plan');
          await untilCancelled(this.planGate.opened).finally(() => this.steps.push('plan ended'));
        }
        return { searchAttributes: this.searchAttributes, tables: this.tables };
      },
      recordRestore: async (input) => {
        this.recorded.push(input);
      },
      prepareTable: async ({ scope }) => {
        this.steps.push(`prepare ${scope.table.table}`);
        this.prepare(scope.table.table);
        return { target: { oid: 1, epoch: 1, ordered: true }, watermark: 'each', notices: [] };
      },
      migrateSchema: async (input) => {
        const all = this.#archivesOf(input);
        return { extent: { archives: all.length, bytes: bytesOf(all) }, notices: [] };
      },
      listArchives: (input) => this.#list(input),
      verifyArchives: async (input) => {
        this.steps.push(`verify ${input.scope.table.table}`);
        await untilCancelled(this.verifyGate.opened);
        const page = await this.#list(input);
        const failures = this.unsound.get(input.scope.table.table) ?? [];
        return { archives: page.archives.length, failed: failures.length, failures, next: page.next };
      },
      tallyLedger: async ({ scope }) =>
        this.ledger.get(scope.table.table) ?? { tally: emptyTally, failures: [] },
      copyStageMerge: (input) => this.#load(input),
      renewLease: async () => {},
      updateWatermark: async ({ from }) => from,
      writeAuditEvent: async ({ scope, event }) => {
        this.audited.push(`${event.event_type} ${scope.table.table}`);
      },
      finishTable: async (input) => {
        this.steps.push(`finish ${input.scope.table.table}`);
        this.finished.push(input);
        return this.finish(input);
      },
      cancelWorkflow: cancelWorkflow(),
    };
  }

  /** Names of what was committed into a table, by their place; fails a test whose places have gaps. */
  inOrder(table: string): string[] {
    const places = this.committed.get(table) ?? new Map<number, string>();
    return Array.from({ length: places.size }, (_, place) => places.get(place) ?? `nothing at ${place}`);
  }

  async #list(input: VerifyArchivesInput) {
    if (input.cursor !== null) await this.listGate.opened;
    const all = this.#archivesOf(input);
    const from = Number(input.cursor ?? 0);
    const to = from + input.pageSize;
    return {
      folder: `archives/${input.scope.table.table}/`,
      archives: all.slice(from, to),
      earlier: { archives: 0, bytes: 0 },
      next: to < all.length ? String(to) : null,
    };
  }

  async #load(input: LoadInput): Promise<LoadOutcome> {
    this.loads.push(input);
    this.inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(), 50);
    try {
      await Promise.race([this.gate.opened, context.cancelled]);
      const outcome = await this.load(input);
      this.#commit(input, outcome);
      this.#note(input.scope.table.table, outcome);
      return outcome;
    } catch (error) {
      if (context.cancellationSignal.aborted) this.rolledBack += 1;
      throw error;
    } finally {
      clearInterval(beat);
      this.inFlight -= 1;
    }
  }

  #commit({ scope, archives, firstOrdinal }: LoadInput, { deferred }: LoadOutcome): void {
    const { table } = scope.table;
    const places = this.committed.get(table) ?? new Map<number, string>();
    this.committed.set(table, places);
    archives.forEach(({ name }, index) => {
      if (deferred.some((each) => each.index === index)) return;
      const place = firstOrdinal + index;
      if (places.has(place)) this.doubled.push(`${table} ${place}`);
      places.set(place, name);
    });
  }

  #note(table: string, { tally, failures }: LoadOutcome): void {
    const before = this.ledger.get(table) ?? { tally: emptyTally, failures: [] };
    this.ledger.set(table, {
      tally: addTallies(before.tally, tally),
      failures: [...before.failures, ...failures],
    });
  }

  #archivesOf({ scope }: Pick<VerifyArchivesInput, 'scope'>): readonly ArchiveRef[] {
    return this.archives.get(scope.table.table) ?? [];
  }
}

/** Waits in an activity, which shows that it is alive meanwhile. */
async function untilCancelled(opened: Promise<void>): Promise<void> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 50);
  await Promise.race([opened, context.cancelled]).finally(() => clearInterval(beat));
}

/** Something that is waited for: open at first. */
export class Gate {
  opened: Promise<void> = Promise.resolve();
  isClosed = false;
  #open: () => void = () => {};

  close(): void {
    this.isClosed = true;
    this.opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.isClosed = false;
    this.#open();
  }
}

/** A table that goes to where it came from. @param parents places in the plan */
export function planned(table: string, ...parents: number[]): PlannedTable {
  return { table: { table, schema: 'public', intoSchema: 'public', intoTable: table }, parents };
}

/** Archives as the archiver names them, 1,000 bytes each. */
export function archivesOf(table: string, count: number): ArchiveRef[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `year=2026/month=01/day=04/${table}_20260104T053001Z_batch_${String(index + 1).padStart(3, '0')}.jsonl.gz`,
    bytes: 1000,
    etag: '"0123456789abcdef0123456789abcdef"',
    metadata: 'sibling',
  }));
}

/** The outcome of a load in which all went well. */
export function restored({ archives }: LoadInput): LoadOutcome {
  return {
    tally: {
      archives: { restored: archives.length, earlier: 0, failed: 0 },
      rows: { ...emptyTally.rows, inserted: archives.length * rowsOfArchive },
      bytes: bytesOf(archives),
    },
    failures: [],
    deferred: [],
    columnNotes: [],
  };
}

/** The outcome of a load whose archives all failed. */
export function failed(input: LoadInput, code: ErrorCode = 'ChecksumMismatch'): LoadOutcome {
  return {
    ...restored(input),
    tally: {
      archives: { restored: 0, earlier: 0, failed: input.archives.length },
      rows: { ...emptyTally.rows, failed: input.archives.length * rowsOfArchive },
      bytes: bytesOf(input.archives),
    },
    failures: input.archives.map((archive) => failureOf(input, archive, code)),
  };
}

/** The outcome of a load whose archives broke a foreign key of the table to itself. */
export function deferred(input: LoadInput): LoadOutcome {
  return {
    ...restored(input),
    tally: emptyTally,
    deferred: input.archives.map((archive, index) => ({
      index,
      failure: failureOf(input, archive, 'RowRejected'),
    })),
  };
}

/** What an activity throws when the table as a whole cannot be restored. */
export function tableError(code: ErrorCode, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message, nonRetryable: true });
}

function failureOf({ folder }: LoadInput, { name }: ArchiveRef, code: ErrorCode): ArchiveFailure {
  return {
    archive: folder + name,
    code,
    message: `${name}: it was made to fail`,
    hint: 'Let it succeed.',
    stage: 'copy',
    rows: rowsOfArchive,
  };
}

function bytesOf(archives: readonly ArchiveRef[]): number {
  return archives.reduce((sum, { bytes }) => sum + bytes, 0);
}
