import type { RowText, SnapshotDifference } from '../../../src/contract/snapshot-difference.ts';

/** A row of the table of the property test, in its columns' order, as PostgreSQL's text. */
export interface ModelRow {
  /** numeric, of which 1.0 and 1.00 are the same key and not the same value. */
  readonly id: string;
  readonly tenant: string;
  readonly seat: string | null;
  readonly at: string | null;
  readonly note: string | null;
}

/** How the table of the property test is made. */
export interface ModelShape {
  readonly key: 'primary' | 'composite' | 'deferrable' | 'none';
  readonly seat: 'free' | 'unique' | 'deferrable' | 'expression';
  readonly partitioned: boolean;
}

/** What is restored. */
export interface ModelMerge {
  readonly tenant: string | null;
  readonly newer: boolean;
}

/** The statements that make the table in a schema. */
export function tableSql(schema: string, shape: ModelShape): string {
  const keys = {
    primary: 'primary key (id)',
    composite: 'primary key (tenant, id)',
    deferrable: 'primary key (id) deferrable',
    none: 'check (true)',
  };
  const seats = {
    free: '',
    unique: 'create unique index on TABLE (seat)',
    deferrable: 'alter table TABLE add unique (seat) deferrable initially deferred',
    expression: 'create unique index on TABLE ((seat * 2)) where seat is not null',
  };
  const table = `${schema}.model`;
  const isPartitioned = shape.partitioned && shape.seat === 'free' && shape.key !== 'deferrable';
  return `
    create table ${table} (id numeric not null, tenant text not null, seat int, at int, note json, ${keys[shape.key]})
    ${
      isPartitioned
        ? `partition by hash (id);
           create table ${table}_0 partition of ${table} for values with (modulus 2, remainder 0);
           create table ${table}_1 partition of ${table} for values with (modulus 2, remainder 1)`
        : ''
    };
    ${seats[shape.seat].replace('TABLE', table)}`;
}

/** The rows that one table can have: of those that conflict, the first. */
export function consistent(rows: readonly ModelRow[], shape: ModelShape): ModelRow[] {
  const kept: ModelRow[] = [];
  for (const row of rows) if (fits([...kept, row], shape)) kept.push(row);
  return kept;
}

/** What a merge makes of the rows of a table; null: it conflicts, and changes nothing. */
export function merged(
  live: readonly ModelRow[],
  staged: readonly ModelRow[],
  shape: ModelShape,
  { tenant, newer }: ModelMerge,
): ModelRow[] | null {
  const isOf = (row: ModelRow) => tenant === null || row.tenant === tenant;
  if (!staged.every(isOf)) return null;
  const others = live.filter((row) => !isOf(row));
  const own = new Map(live.filter(isOf).map((row) => [keyOf(row, shape), row]));
  const wins = (row: ModelRow) => {
    const now = own.get(keyOf(row, shape));
    if (now === undefined) return true;
    return row.at !== null && now.at !== null && Number(row.at) > Number(now.at);
  };
  const theirs = newer ? staged.filter(wins) : staged;
  const taken = new Set(theirs.map((row) => keyOf(row, shape)));
  const rest = newer ? [...own.values()].filter((row) => !taken.has(keyOf(row, shape))) : [];
  const result = [...others, ...rest, ...theirs];
  return fits(result, shape) ? result : null;
}

/** What some changes make of the rows of a table; null: they conflict, and change nothing. */
export function changed(
  live: readonly ModelRow[],
  changes: readonly Pick<SnapshotDifference, 'before' | 'after'>[],
  shape: ModelShape,
): ModelRow[] | null {
  const gone = new Set(changes.flatMap(({ before }) => (before ? imageOf(modelRow(before)) : [])));
  const stay = live.filter((row) => !gone.has(imageOf(row)));
  const result = [...stay, ...changes.flatMap(({ after }) => (after ? modelRow(after) : []))];
  return fits(result, shape) ? result : null;
}

function modelRow({ id, tenant, seat, at, note }: RowText): ModelRow {
  return { id: id ?? '', tenant: tenant ?? '', seat: seat ?? null, at: at ?? null, note: note ?? null };
}

function imageOf({ id, tenant, seat, at, note }: ModelRow): string {
  return JSON.stringify([id, tenant, seat, at, note]);
}

function keyOf({ id, tenant }: ModelRow, { key }: ModelShape): string {
  return key === 'composite' ? `${tenant} ${Number(id)}` : `${Number(id)}`;
}

function fits(rows: readonly ModelRow[], shape: ModelShape): boolean {
  const keys = rows.map((row) => keyOf(row, shape));
  const seats = rows.flatMap(({ seat }) => seat ?? []);
  return (
    (shape.key === 'none' || new Set(keys).size === keys.length) &&
    (shape.seat === 'free' || new Set(seats).size === seats.length)
  );
}
