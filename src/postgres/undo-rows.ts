import type pg from 'pg';
import type { LeftCount, UndoneRows } from '../contract/undo-request.ts';
import type { TargetTable } from './catalog.ts';
import type { Reference as ParentKey } from './dangling-rows.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { imageOf } from './kept-images.ts';
import { undoSql } from './undo-sql.ts';

/** A table of a restore of which changes are kept. */
export interface UndoTable extends UndoneRows {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  readonly key: readonly string[];
  /** Quoted, with their types. */
  readonly columns: readonly string[];
  /** There are rows of it that are not undone. */
  readonly isLeft: boolean;
}

/** Rows that were left for one reason, with some of their keys. */
export interface LeftRows extends LeftCount {
  /** Some of their keys, as text. */
  readonly keys: readonly (readonly string[])[];
}

/** Which rows an undo works on. */
export interface UndoScope {
  readonly restoreId: string;
  readonly target: TargetTable;
  readonly key: readonly string[];
  /** Foreign keys that refer to the target. */
  readonly references: readonly Reference[];
  /** Foreign keys of the target. */
  readonly parents: readonly ParentKey[];
}

/** Which rows a page is of: those that a restore has added, or those that it has changed or deleted. */
export type Sweep = 'added' | 'changed';

/** A foreign key that refers to a table. */
export interface Reference {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
  /** Of the table that is referred to, in the same order. */
  readonly referred: readonly string[];
  /** Deletes or changes rows that refer to one which is deleted. */
  readonly acts: boolean;
}

/** Reads the tables of a restore of which changes are kept. */
export async function readUndoTables(client: pg.Client, restoreId: string): Promise<UndoTable[]> {
  const { rows } = await client.query<UndoTable>(
    `select target_oid as oid, schema_name as schema, table_name as "table", key_columns as key, columns,
       deleted, brought_back as "broughtBack", gone, exists (
         select from thaw.undo_rows as row
         where row.restore_id = own.restore_id and row.target_oid = own.target_oid) as "isLeft"
     from thaw.undo_tables as own where restore_id = $1
     order by schema_name, table_name`,
    [restoreId],
  );
  return rows;
}

/** Reads the foreign keys that refer to a table, its own and those of its partition tree among them. */
export async function readReferences(client: pg.Client, oid: number): Promise<Reference[]> {
  const { rows } = await client.query<Reference>(
    `select n.nspname as schema, c.relname as "table",
       (select json_agg(a.attname order by part.place)
        from unnest(k.conkey) with ordinality as part (attnum, place)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = part.attnum) as columns,
       (select json_agg(a.attname order by part.place)
        from unnest(k.confkey) with ordinality as part (attnum, place)
        join pg_attribute a on a.attrelid = k.confrelid and a.attnum = part.attnum) as referred,
       k.confdeltype in ('c', 'n', 'd') as acts
     from pg_constraint k
     join pg_class c on c.oid = k.conrelid
     join pg_namespace n on n.oid = c.relnamespace
     where k.contype = 'f' and k.conparentid = 0 and k.confrelid in (
       select $1::oid
       union select relid from pg_partition_ancestors($1::oid::regclass)
       union select relid from pg_partition_tree($1::oid::regclass))
     order by 1, 2, k.conname`,
    [oid],
  );
  return rows;
}

/** How many rows of a table an undo has still to delete, and to bring back. */
export async function countUndoRows(
  client: pg.Client,
  restoreId: string,
  oid: number,
): Promise<{ readonly inserted: number; readonly overwritten: number }> {
  const { rows } = await client.query<{ inserted: number; overwritten: number }>(
    `select count(*) filter (where before is null) as inserted, count(before) as overwritten
     from thaw.undo_rows where restore_id = $1 and target_oid = $2`,
    [restoreId, oid],
  );
  return rows[0] ?? { inserted: 0, overwritten: 0 };
}

/** Keeps other undos of a restore away for as long as this session lasts. @returns false where there is one */
export async function lockUndo(client: pg.Client, restoreId: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    'select pg_try_advisory_lock(hashtextextended($1, 0)) as locked',
    [`thaw/undo/${restoreId}`],
  );
  return rows[0]?.locked ?? false;
}

/** Lets the planner know how many rows are kept, without which it compares each of a page with each of the table. */
export async function analyzeUndoRows(client: pg.Client): Promise<void> {
  await client.query('analyze thaw.undo_rows');
}

/** Has the archives of a restore into a table count as restored no more: the next restore brings them again. */
export async function forgetArchives(client: pg.Client, restoreId: string, oid: number): Promise<void> {
  await client.query(
    `update thaw.archives set state = 'undone'
     where restore_id = $1 and target_oid = coalesce(pg_partition_root($2::oid::regclass)::oid, $2)
       and state = 'restored'`,
    [restoreId, oid],
  );
}

/** Some rows that a restore has changed, by the order of their keys. */
export interface UndoPage {
  readonly sweep: Sweep;
  /** Behind this key; null: from the start. */
  readonly after: readonly string[] | null;
  readonly limit: number;
}

/** What came of a page. */
export interface UndonePage {
  /** Of the last row; null: there was none. */
  readonly last: readonly string[] | null;
  readonly undone: UndoneRows;
}

/**
 * Undoes the changes of some rows, in the transaction that is open: those that the restore inserted are
 * deleted, those that it overwrote get what they had, those that it deleted are inserted. A row that is not as the
 * restore left it stays, and so does one that others refer to, so that no foreign key deletes or changes anything;
 * one that refers to what is not there is not brought back: all are marked.
 *
 * @throws what PostgreSQL answers, raw; {@link ChangedByTrigger}
 */
export async function undoPage(client: pg.Client, scope: UndoScope, page: UndoPage): Promise<UndonePage> {
  const { restoreId, target } = scope;
  const { rows } = await client.query<{ key: readonly string[] }>(
    `select key from thaw.undo_rows
     where restore_id = $1 and target_oid = $2 and ($3::text[] is null or key > $3) and ${ofSweep[page.sweep]}
     order by key limit $4`,
    [restoreId, target.oid, page.after, page.limit],
  );
  const last = rows.at(-1)?.key ?? null;
  if (last === null) return { last, undone: { deleted: 0, broughtBack: 0, gone: 0 } };
  const values = [restoreId, target.oid, page.after, last];
  const sql = statements(scope, page.sweep);
  // Whoever refers to a row from now on waits, and whoever did before is seen by the next statement.
  await client.query(sql.lock, values);
  const done: UndoneKey[] = [];
  for (const statement of sql.work) done.push(...(await client.query<UndoneKey>(statement, values)).rows);
  if (done.some(({ exact }) => !exact)) throw new ChangedByTrigger();
  await client.query('set constraints all immediate');
  const keys = JSON.stringify(done.map(({ thaw_key }) => thaw_key));
  const gone = await client.query<{ gone: number }>(sql.settle, [...values, keys]);
  const [deleted, broughtBack] = page.sweep === 'added' ? [done.length, 0] : [0, done.length];
  const undone: UndoneRows = { deleted, broughtBack, gone: gone.rows[0]?.gone ?? 0 };
  await client.query(
    `update thaw.undo_tables set deleted = deleted + $3, brought_back = brought_back + $4, gone = gone + $5
     where restore_id = $1 and target_oid = $2`,
    [restoreId, target.oid, undone.deleted, undone.broughtBack, undone.gone],
  );
  return { last, undone };
}

interface UndoneKey {
  readonly thaw_key: readonly string[];
  /** The row is as it was, to the last bit. */
  readonly exact: boolean;
}

const ofSweep: Readonly<Record<Sweep, string>> = { added: 'before is null', changed: 'before is not null' };

/** A trigger makes another row of what is brought back. */
export class ChangedByTrigger extends Error {}

/** Marks the next row behind a key as one that PostgreSQL refuses to undo. @returns its key */
export async function markRefused(
  client: pg.Client,
  { restoreId, target }: UndoScope,
  { sweep, after }: Pick<UndoPage, 'sweep' | 'after'>,
  why: string,
): Promise<readonly string[] | null> {
  const { rows } = await client.query<{ key: readonly string[] }>(
    `update thaw.undo_rows set left_why = $4
     where restore_id = $1 and target_oid = $2 and key = (
       select min(key) from thaw.undo_rows
       where restore_id = $1 and target_oid = $2 and ($3::text[] is null or key > $3) and ${ofSweep[sweep]})
     returning key`,
    [restoreId, target.oid, after, why],
  );
  return rows[0]?.key ?? after;
}

/** Tells which rows were left, and why; at most `limit` keys for each reason. */
export async function readLeftRows(
  client: pg.Client,
  restoreId: string,
  oid: number,
  limit: number,
): Promise<LeftRows[]> {
  const { rows } = await client.query<LeftRows>(
    `select why, count(*) as rows, json_agg(key order by key) filter (where place <= $3) as keys
     from (
       select coalesce(left_why, 'not tried') as why, key,
         row_number() over (partition by left_why order by key) as place
       from thaw.undo_rows where restore_id = $1 and target_oid = $2) as kept
     group by why order by why`,
    [restoreId, oid, limit],
  );
  return rows;
}

/** Writes that a table is undone as far as it can be. */
export async function endUndo(client: pg.Client, restoreId: string, oid: number): Promise<void> {
  await client.query(
    'update thaw.undo_tables set undone_at = now() where restore_id = $1 and target_oid = $2',
    [restoreId, oid],
  );
}

function statements(scope: UndoScope, sweep: Sweep) {
  const { target, key, references } = scope;
  const sql = undoSql(target, key);
  const { live, found, untouched, before, same } = sql;
  const page = `page as materialized (
      select * from thaw.undo_rows
      where restore_id = $1 and target_oid = $2 and ($3::text[] is null or key > $3) and key <= $4
        and ${ofSweep[sweep]})`;
  const remove = `with ${page}
      delete from ${live} as live using page
      where ${found} and ${untouched}
        ${references.map((reference) => `and not exists (${referring(reference)})`).join(' ')}
      returning page.key as thaw_key, true as exact`;

  // A key of others that an overwrite did not change refers to the row as it will be.
  const loose = references.filter(({ referred }) => !referred.every((name) => key.includes(name)));
  const mayChange = loose.map(
    (reference) => `and ((${same(reference.referred)}) or not exists (${referring(reference)}))`,
  );
  const parents = scope.parents.filter(({ readable }) => readable);
  const keepsParents = parents
    .map((parent) => {
      const children = parent.pairs.map(({ child }) => child);
      return `and ((${same(children)}) or ${parentThere(target, parent, before)})`;
    })
    .join(' ');
  const bringBack = `with ${page}
      update ${live} as live set ${sql.changes} from page
      where ${found} and ${untouched} ${mayChange.join(' ')} ${keepsParents}
      returning page.key as thaw_key, ${sql.exact} as exact`;
  const insertBack = `with ${page}, added as (
        insert into ${qualifiedName(target.schema, target.table)} as live (${sql.names}) overriding system value
        select ${sql.values} from page
        where page.after is null and not exists (select from ${live} as live where ${found})
          ${parents.map((parent) => `and ${parentThere(target, parent, before)}`).join(' ')}
        returning ${imageOf(sql.columns, 'live')} as image, ${sql.key} as key
      )
      select page.key as thaw_key, coalesce(added.image = page.before, false) as exact
      from added left join page using (key)`;
  const isThere = `exists (select from ${live} as live where ${found})`;
  return {
    lock: `with ${page}
      select from ${live} as live join page on ${found} for update of live`,
    work: sweep === 'added' ? [remove] : [...(sql.changes === '' ? [] : [bringBack]), insertBack],
    settle: `with ${page}, done as (
        select array(select json_array_elements_text(one)) as key from json_array_elements($5::json) as one
      ), looked as (
        select page.key, case
            when done.key is not null then 'done'
            when page.after is null then case when ${isThere} then 'changed' else 'orphaned' end
            when not ${isThere} then case when page.before is null then 'gone' else 'deleted' end
            when not exists (select from ${live} as live where ${found} and ${untouched}) then 'changed'
            when page.before is null or exists (
              select from ${live} as live where ${found} ${keepsParents}) then 'referenced'
            else 'orphaned'
          end as state
        from page left join done on done.key = page.key
      ), dropped as (
        delete from thaw.undo_rows as own using looked
        where own.restore_id = $1 and own.target_oid = $2 and own.key = looked.key and looked.state in ('done', 'gone')
      ), marked as (
        update thaw.undo_rows as own set left_why = looked.state
        from looked
        where own.restore_id = $1 and own.target_oid = $2 and own.key = looked.key
          and looked.state not in ('done', 'gone')
      )
      select count(*) filter (where state = 'gone') as gone from looked`,
  };
}

/** Query for another row that refers to the row `live`. */
export function referring({ schema, table, columns, referred }: Reference): string {
  const same = columns
    .map((name, place) => `child.${quoteIdentifier(name)} = live.${quoteIdentifier(referred[place] ?? '')}`)
    .join(' and ');
  return `select from ${qualifiedName(schema, table)} as child
    where ${same} and (child.tableoid, child.ctid) <> (live.tableoid, live.ctid)`;
}

/** The condition that a row which is brought back refers to nothing, to one that is there, or to itself. */
function parentThere(
  target: TargetTable,
  { parent, pairs }: ParentKey,
  before: (column: string) => string,
): string {
  const nothing = pairs.map(({ child }) => `${before(child)} is null`).join(' or ');
  const same = pairs
    .map(
      ({ parent: name, operator, child }) => `parent.${quoteIdentifier(name)} ${operator} ${before(child)}`,
    )
    .join(' and ');
  const there = `exists (select from ${qualifiedName(parent.schema, parent.table)} as parent where ${same})`;
  if (parent.oid !== target.oid) return `(${nothing} or ${there})`;
  const itself = pairs.map(
    ({ parent: name, operator, child }) => `${before(name)} ${operator} ${before(child)}`,
  );
  return `(${nothing} or ${there} or (${itself.join(' and ')}))`;
}
