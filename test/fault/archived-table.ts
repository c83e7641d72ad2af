import type pg from 'pg';
import { expect } from 'vitest';
import { type ArchivedRow, type ArchiveOptions, writeArchive } from '../harness/archive-writer.ts';
import type { TestThaw } from '../harness/thaw.ts';
import { until } from './until.ts';

/** Archives to write for a table. */
export interface TableShape {
  readonly table: string;
  readonly archives: number;
  /** Rows of each. */
  readonly rows: number;
  /** So many of them have keys of the archive before, with other values. @default 0 */
  readonly repeated?: number;
  /** Characters that hardly compress, in each row. @default 8 */
  readonly noteLength?: number;
}

/** A row, as the table has it. */
interface Row {
  readonly id: number;
  readonly archive: number;
  readonly note: string;
}

/**
 * A table with a primary key, a second index and archives, of which neighbours may hold the same keys:
 * what a restore must leave behind then depends on order and strategy, and this knows it.
 */
export class ArchivedTable {
  readonly shape: TableShape;
  readonly #thaw: Pick<TestThaw, 'pg' | 'bucket' | 'database'>;
  readonly #keys: string[];

  /** Makes the table and writes its archives. */
  static async create(thaw: TestThaw, shape: TableShape): Promise<ArchivedTable> {
    const table = new ArchivedTable(thaw, shape);
    await thaw.pg.query(
      `create table ${shape.table} (id bigint primary key, archive int not null, note text not null)`,
    );
    await thaw.pg.query(`create index ${shape.table}_archive on ${shape.table} (archive)`);
    await Promise.all(table.#all().map((archive) => table.write(archive)));
    return table;
  }

  private constructor(
    thaw: Pick<TestThaw, 'pg' | 'bucket' | 'database'>,
    shape: TableShape,
    keys: string[] = [],
  ) {
    this.#thaw = thaw;
    this.shape = shape;
    this.#keys = keys;
  }

  /** The same, looked at over another connection. */
  on(client: pg.Client): ArchivedTable {
    const { bucket, database } = this.#thaw;
    return new ArchivedTable({ pg: client, bucket, database }, this.shape, this.#keys);
  }

  /** Full keys, in archive order. */
  get keys(): readonly string[] {
    return this.#keys;
  }

  keyOf(archive: number): string {
    const key = this.#keys[archive];
    if (key === undefined) throw new RangeError(`There is no archive ${archive}`);
    return key;
  }

  /** Writes an archive, over the one that is there. */
  async write(archive: number, changes: Partial<ArchiveOptions> = {}): Promise<void> {
    const written = await writeArchive(this.#thaw.bucket.put, {
      database: this.#thaw.database.name,
      table: this.shape.table,
      archivedAt: '2026-01-04T05:20:21+00:00',
      batch: archive + 1,
      rows: this.rows(archive).map((row): ArchivedRow => ({ ...row })),
      primaryKey: 'id',
      ...changes,
    });
    this.#keys[archive] = written.key;
  }

  /** Rows of an archive, in order. */
  rows(archive: number): Row[] {
    const { rows, repeated = 0, noteLength = 8 } = this.shape;
    const fresh = rows - repeated;
    return Array.from({ length: rows }, (_, place) => {
      const id = archive * fresh + place - (archive === 0 ? 0 : repeated);
      return { id, archive, note: noise(id * 1000 + archive, noteLength) };
    });
  }

  /** Fails unless the table holds exactly what restoring these archives in order leaves behind. */
  async expectRestored(strategy: 'skip' | 'overwrite', archives = this.#all()): Promise<void> {
    const expected = new Map<number, Row>();
    for (const archive of archives) {
      for (const row of this.rows(archive)) {
        if (strategy === 'overwrite' || !expected.has(row.id)) expected.set(row.id, row);
      }
    }
    const actual = await this.#thaw.pg.query<{ id: string; archive: number; note: string }>(
      `select id, archive, note from ${this.shape.table} order by id`,
    );
    const found = actual.rows.map(({ id, archive, note }) => ({ id: Number(id), archive, note }));
    const wanted = [...expected.values()].sort((a, b) => a.id - b.id);
    expect(found.length, `rows of ${this.shape.table}`).toBe(wanted.length);
    expect(found.filter((row, place) => !same(row, wanted[place])).slice(0, 3)).toEqual([]);
  }

  /** Fails unless a restore's ledger has these archives as restored, and no other. */
  async expectLedger(restoreId: string, archives = this.#all()): Promise<void> {
    expect(await this.restoredIn(restoreId)).toEqual(archives.map((archive) => this.keyOf(archive)).sort());
  }

  /** Fails unless the table has its index, after it was dropped for a restore. */
  async expectIndexed(): Promise<void> {
    const { table } = this.shape;
    const { rows } = await this.#thaw.pg.query<{ name: string; dropped: boolean }>(
      `select indexname as name, exists (
         select from thaw.dropped_indexes d where d.index_name = indexname and d.rebuilt_at is not null
       ) as dropped
       from pg_indexes where tablename = $1 order by indexname`,
      [table],
    );
    expect(rows).toEqual([
      { name: `${table}_archive`, dropped: true },
      { name: `${table}_pkey`, dropped: false },
    ]);
  }

  /** Keys that a restore's ledger has as restored, sorted. */
  async restoredIn(restoreId: string): Promise<string[]> {
    const { rows } = await this.#thaw.pg.query<{ key: string }>(
      `select key from thaw.archives
       where restore_id = $1 and target_oid = $2::regclass and state = 'restored' order by key collate "C"`,
      [restoreId, this.shape.table],
    );
    return rows.map(({ key }) => key);
  }

  #all(): number[] {
    return Array.from({ length: this.shape.archives }, (_, archive) => archive);
  }
}

/** Waits until no session of a restore is left in the database. */
export async function expectNoSessions(client: pg.Client): Promise<void> {
  await until(
    'no session of Thaw is left',
    async () => {
      const { rows } = await client.query<{ left: number }>(
        `select count(*)::int as left from pg_stat_activity
         where datname = current_database() and starts_with(application_name, 'thaw/')`,
      );
      return rows[0]?.left === 0;
    },
    15_000,
  );
}

function same(a: Row, b: Row | undefined): boolean {
  return b !== undefined && a.id === b.id && a.archive === b.archive && a.note === b.note;
}

/** Text that is the same for the same seed and hardly compresses. */
function noise(seed: number, length: number): string {
  let text = '';
  for (let state = (seed * 2654435761 + 1) >>> 0; text.length < length; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text += (state >>> 8).toString(36);
  }
  return text.slice(0, length);
}
