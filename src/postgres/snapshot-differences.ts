import type pg from 'pg';
import type { SnapshotTableResult, TenantPart } from '../contract/snapshot.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { TargetColumn, TargetTable } from './catalog.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { isPlain } from './keys.ts';
import { rowsOf } from './merge-sql.ts';
import { isComparedAsText } from './tenant-value.ts';

/** A table and the rows that a snapshot has of it. */
export interface StagedTable {
  readonly target: TargetTable;
  /** A table with the columns of the target that the snapshot has, of the same types. */
  readonly stage: { readonly schema: string; readonly table: string };
  /** What the stage has of the columns of the target, those that are generated left out. */
  readonly columns: readonly TargetColumn[];
  /** Which rows of the target count; null: all. */
  readonly tenant: TenantPart | null;
  /** Rows are updated only where this column of the snapshot's is greater, and none deleted; null: all become as staged. */
  readonly newerBy: string | null;
}

/** Rows of a table that are not what they are to become, kept in a table that ends with the transaction. */
export interface Differences {
  readonly staged: StagedTable;
  /** Quoted name of the table: `part` and `live` say where the row is, `staged` where it is in the stage. */
  readonly table: string;
  /** Columns whose values tell rows apart; null: rows are compared as a whole, and counted. */
  readonly key: readonly string[] | null;
  /** Columns of the target that the snapshot does not have: what a row has of them stays. */
  readonly kept: readonly TargetColumn[];
  /** Columns that an update in place leaves as they are, because rows that differ in them are deleted and inserted. */
  readonly fixed: ReadonlySet<string>;
}

/**
 * The columns by which rows are told apart: the first unique index, the primary key before others, of plain columns
 * that are staged and never NULL; null where there is none.
 */
export function chooseMergeKey({ target, columns }: StagedTable): readonly string[] | null {
  const usable = new Set(columns.filter(({ notNull }) => notNull).map(({ name }) => name));
  const key = target.keys
    .filter(isPlain)
    .find(({ valid, columns: names }) => valid && names.every((name) => usable.has(name)));
  return key?.columns ?? null;
}

/**
 * Finds the rows that differ from those of the snapshot, to the last bit.
 *
 * @param place tells the tables of a transaction apart
 * @throws ThawError `SchemaIncompatible` where rows cannot be told apart and have to be
 * @throws what PostgreSQL answers, raw
 */
export async function findDifferences(
  client: pg.Client,
  staged: StagedTable,
  place: number,
): Promise<Differences> {
  const { target, columns } = staged;
  const key = chooseMergeKey(staged);
  if (key === null && staged.newerBy !== null) throw noKey(target);
  const present = new Set(columns.map(({ name }) => name));
  const kept = target.columns.filter(({ name, generated }) => generated === null && !present.has(name));
  const fixed = new Set(fixedColumns(staged));
  const table = `pg_temp.thaw_changes_${place}`;
  const list = [
    'part oid',
    'live tid',
    'staged tid',
    'kind text',
    'moves boolean',
    ...kept.map(({ typeName }, index) => `kept_${index} ${typeName}`),
  ];
  await client.query(`create temp table thaw_changes_${place} (${list.join(', ')}) on commit drop`);
  const differences = { staged, table, key, kept, fixed };
  await client.query(
    `insert into ${table} ${differencesQuery(differences)}`,
    staged.tenant === null ? [] : [staged.tenant.value],
  );
  await client.query(`analyze ${table}`);
  return differences;
}

/** Counts what differs, and the rows of the snapshot that change nothing. */
export async function countDifferences(
  client: pg.Client,
  { staged: { target, stage }, table }: Differences,
): Promise<SnapshotTableResult> {
  const { rows } = await client.query<Omit<SnapshotTableResult, 'schema' | 'table'>>(
    `select inserted, updated, deleted, staged - inserted - updated as unchanged
     from (
       select count(*) filter (where kind = 'insert') as inserted, count(*) filter (where kind = 'update') as updated,
         count(*) filter (where kind = 'delete') as deleted
       from ${table}
     ) as change, (select count(*) as staged from ${qualifiedName(stage.schema, stage.table)}) as whole`,
  );
  const counts = rows[0] ?? { inserted: 0, updated: 0, deleted: 0, unchanged: 0 };
  return { schema: target.schema, table: target.table, ...counts };
}

/** How many rows differ by now; the table of differences stays as it is. */
export async function countRemaining(client: pg.Client, differences: Differences): Promise<number> {
  const { tenant } = differences.staged;
  const { rows } = await client.query<{ count: number }>(
    `select count(*) as count from (${differencesQuery(differences)}) as remaining`,
    tenant === null ? [] : [tenant.value],
  );
  return rows[0]?.count ?? 0;
}

/** Whether the stage has rows that are not of the tenant. */
export async function hasForeignRows(
  client: pg.Client,
  { stage, tenant, target }: StagedTable,
): Promise<boolean> {
  if (tenant === null) return false;
  const { rowCount } = await client.query(
    `select from ${qualifiedName(stage.schema, stage.table)} as staged
     where (${isOf(target, tenant, 'staged')}) is not true limit 1`,
    [tenant.value],
  );
  return rowCount !== 0;
}

/** Leaves in the stage the rows of the tenant alone, of whom there has to be one. Gives how many there are. */
export async function keepTenantRows(
  client: pg.Client,
  { stage, tenant, target }: StagedTable,
): Promise<number> {
  if (tenant === null) throw new TypeError('No tenant says which rows stay.');
  const name = qualifiedName(stage.schema, stage.table);
  await client.query(`delete from ${name} as staged where (${isOf(target, tenant, 'staged')}) is not true`, [
    tenant.value,
  ]);
  const { rows } = await client.query<{ count: number }>(`select count(*) as count from ${name}`);
  return rows[0]?.count ?? 0;
}

/** Query for the rows that differ, with the columns of {@link Differences.table}. */
function differencesQuery({ staged, key, kept, fixed }: Differences): string {
  const { target, stage, columns, tenant, newerBy } = staged;
  const place = (name: string) => columns.findIndex((column) => column.name === name);
  const values = columns.map(({ name }, index) => `${quoteIdentifier(name)} as c${index}`);
  const extra = kept.map(({ name }, index) => `${quoteIdentifier(name)} as kept_${index}`);
  const whole = `md5(row(${columns.map(({ name }) => quoteIdentifier(name)).join(', ')})::text)`;
  // Equal rows are numbered, so that each of them finds one of the other side.
  const told =
    key === null ? [`${whole} as digest`, `row_number() over (partition by ${whole}) as copy`] : values;
  const image = (table: string, names: readonly string[]) =>
    `row(${names.map((name) => `${table}.c${place(name)}`).join(', ')})::record`;
  const all = columns.map(({ name }) => name);
  const moving = all.filter((name) => fixed.has(name));
  const moves =
    key === null || moving.length === 0 ? 'false' : `${image('live', moving)} *<> ${image('staged', moving)}`;
  const same =
    key === null
      ? 'live.digest = staged.digest and live.copy = staged.copy'
      : key.map((name) => `live.c${place(name)} = staged.c${place(name)}`).join(' and ');
  const differs = key === null ? 'false' : `${image('live', all)} *<> ${image('staged', all)}`;
  const wanted =
    newerBy === null
      ? `live.place is null or staged.place is null or ${differs}`
      : `live.place is null or (${differs} and staged.c${place(newerBy)} > live.c${place(newerBy)})`;
  return `
    select live.part, live.place, staged.place,
      case when live.place is null then 'insert' when staged.place is null then 'delete' else 'update' end,
      live.place is not null and staged.place is not null and ${moves}
      ${extra.map((_, index) => `, live.kept_${index}`).join('')}
    from (
      select ${['tableoid as part', 'ctid as place', ...told, ...extra].join(', ')} from ${rowsOf(target)} as live
      ${tenant === null ? '' : `where ${isOf(target, tenant, 'live')}`}
    ) as live
    full join (
      select ${['ctid as place', ...told].join(', ')} from ${qualifiedName(stage.schema, stage.table)} as staged
    ) as staged on ${same}
    where ${wanted}`;
}

/**
 * The condition that a row is of the tenant whose value is `$1`.
 *
 * @throws ThawError `SchemaIncompatible` where the table has no such column
 */
export function isOf(target: TargetTable, tenant: TenantPart, table: string): string {
  const column = target.columns.find(({ name }) => name === tenant.column);
  if (column === undefined) {
    const object = `${target.schema}.${target.table}`;
    throw new ThawError('SchemaIncompatible', `${object}: there is no column ${tenant.column}.`, {
      object,
      stage: 'merge',
      hint: 'Name the column that says whose a row is, or leave this table out.',
    });
  }
  // Without a cast, which would cut 'abcd' to the 'abc' of a varchar(3): another tenant.
  return `${table}.${quoteIdentifier(column.name)} = $1${isComparedAsText(column.baseTypeName) ? '::text' : ''}`;
}

/**
 * Columns that are not updated in place: those of unique indexes, since two rows may have swapped their values and
 * PostgreSQL compares row by row, and identities that are always generated, which it does not update. All of them
 * where an index is of expressions or of some rows only, or may be of a partition alone.
 */
function fixedColumns({ target, columns }: StagedTable): string[] {
  const all = columns.map(({ name }) => name);
  if (target.kind === 'partitioned table' && target.hasUnique) return all;
  if (target.keys.some((key) => key.columns === null || key.predicate !== null)) return all;
  const indexed = new Set(target.keys.flatMap((key) => key.columns ?? []));
  return columns
    .filter(({ name, identity }) => indexed.has(name) || identity === 'always')
    .map(({ name }) => name);
}

function noKey(target: TargetTable): ThawError {
  const object = `${target.schema}.${target.table}`;
  return new ThawError(
    'SchemaIncompatible',
    `${object}: it has no key by which its rows can be told apart.`,
    {
      object,
      stage: 'merge',
      hint: 'Add a primary key, leave the table out, or use the strategy overwrite.',
    },
  );
}
