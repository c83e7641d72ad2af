import type { SnapshotTableResult } from '../../contract/snapshot.ts';
import type { HistoryStep } from '../../contract/snapshot-history.ts';

/** A table that is restored. */
export interface ExpectedTable {
  /** `schema.table` */
  readonly table: string;
  /** That the snapshot has of it. */
  readonly rows: number;
}

type Status = HistoryStep['status'];

/** A table on its way. Times are milliseconds. */
interface TableState {
  readonly table: string;
  /** To be staged. */
  readonly rows: number;
  status: Status;
  staged: number;
  /** Rows that the merge changes; null until they are found. */
  changes: number | null;
  restored: number | null;
  beganAt: number | null;
  endedAt: number | null;
}

/** How far a restore is with each of its tables, and when it will be further. */
export class TableSteps {
  readonly #tables = new Map<string, TableState>();
  readonly #now: () => number;
  /** When the first change could be made. */
  #mergingSince: number | null = null;

  /**
   * @param before steps of an earlier part of the restore
   * @param now milliseconds
   */
  constructor(before: readonly HistoryStep[] = [], now: () => number = Date.now) {
    this.#now = now;
    for (const { table, status, started_at } of before) {
      const beganAt = started_at === null ? null : Date.parse(started_at);
      this.#tables.set(table, { ...fresh(table, 0), status, beganAt });
    }
  }

  /** Names the tables, in their order; what is known of them stays, others go. */
  expect(tables: readonly ExpectedTable[]): void {
    const before = new Map(this.#tables);
    this.#tables.clear();
    for (const { table, rows } of tables) {
      this.#tables.set(table, { ...fresh(table, rows), ...pick(before.get(table)) });
    }
  }

  /** Staging begins, of all tables, maybe once more. */
  begin(): void {
    this.#mergingSince = null;
    for (const state of this.#tables.values()) {
      Object.assign(state, fresh(state.table, state.rows), { beganAt: state.beganAt });
    }
  }

  /** Rows of a table were staged. */
  rows(table: string, rows: number): void {
    const state = this.#tables.get(table);
    if (state === undefined) return;
    state.status = 'staging';
    state.beganAt ??= this.#now();
    state.staged += rows;
  }

  /** All tables are staged, those without rows as well. */
  staged(): void {
    this.#mergingSince = null;
    for (const state of this.#tables.values()) {
      Object.assign(state, { status: 'staged', staged: state.rows, changes: null, restored: null });
      state.beganAt ??= this.#now();
    }
  }

  /** A table is compared with the snapshot. */
  comparing(table: string): void {
    const state = this.#tables.get(table);
    if (state !== undefined) state.status = 'merging';
  }

  /** What a merge will do to a table is known. */
  found(table: string, { inserted, updated, deleted }: SnapshotTableResult): void {
    this.#mergingSince ??= this.#now();
    const state = this.#tables.get(table);
    if (state === undefined) return;
    state.status = 'merging';
    state.changes = inserted + updated + deleted;
  }

  /** A table is as it is to become. */
  merged(table: string, { inserted, updated }: SnapshotTableResult): void {
    const state = this.#tables.get(table);
    if (state === undefined) return;
    state.status = 'merged';
    state.restored = inserted + updated;
  }

  /** The table that is merged next; null for none. */
  get next(): string | null {
    return [...this.#tables.values()].find(({ status }) => status === 'merging')?.table ?? null;
  }

  /** All is committed, or is about to be. */
  completed(): void {
    for (const state of this.#tables.values())
      Object.assign(state, { status: 'completed', endedAt: this.#now() });
  }

  toJSON(): HistoryStep[] {
    return [...this.#tables.values()].map((state) => ({
      table: state.table,
      progress_pct: this.#percent(state),
      status: state.status,
      eta_seconds: this.#eta(state),
      started_at: isoOf(state.beganAt),
      completed_at: isoOf(state.endedAt),
      rows_restored: state.restored,
    }));
  }

  #percent({ status, rows, staged }: TableState): number {
    if (status === 'staging') return rows === 0 ? 0 : Math.min(50, Math.floor((50 * staged) / rows));
    return { pending: 0, staged: 50, merging: 75, merged: 100, completed: 100, failed: 0 }[status];
  }

  #eta(state: TableState): number | null {
    const { status, rows, staged, beganAt } = state;
    if (status === 'merged' || status === 'completed') return 0;
    if (status === 'staging' && beganAt !== null)
      return remaining(rows - staged, staged, this.#now() - beganAt);
    if (status !== 'merging' || state.changes === null || this.#mergingSince === null) return null;
    return remaining(this.#changesUpTo(state), this.#changesDone(), this.#now() - this.#mergingSince);
  }

  /** Of this table and those before it: they are merged one after another. */
  #changesUpTo(last: TableState): number {
    const tables = [...this.#tables.values()];
    return sum(tables.slice(0, tables.indexOf(last) + 1).filter(({ status }) => status === 'merging'));
  }

  #changesDone(): number {
    return sum([...this.#tables.values()].filter(({ status }) => status === 'merged'));
  }
}

function fresh(table: string, rows: number): TableState {
  const nothing = { staged: 0, changes: null, restored: null, beganAt: null, endedAt: null };
  return { table, rows, status: 'pending', ...nothing };
}

function pick(before: TableState | undefined): Partial<TableState> {
  return before === undefined ? {} : { status: before.status, beganAt: before.beganAt };
}

function sum(tables: readonly TableState[]): number {
  return tables.reduce((all, { changes }) => all + (changes ?? 0), 0);
}

/** Whole seconds for what is left, at the pace of what is done; null where nothing is. */
function remaining(left: number, done: number, milliseconds: number): number | null {
  if (left <= 0) return 0;
  return done <= 0 ? null : Math.ceil((left / done) * (milliseconds / 1000));
}

function isoOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
