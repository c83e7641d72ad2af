import type pg from 'pg';
import type { TakenObjects } from '../contract/undo-request.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { type ObjectFact, readFacts, schemaDefinition } from './made-objects.ts';

/** A table of which a restore has made something that is not taken away. */
export interface MadeObjects {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  /** The table itself; else only columns of it. */
  readonly isWhole: boolean;
  /** Names of the columns. */
  readonly columns: readonly string[];
}

/** Something made that is to be taken away: a table, or a column of one. */
export interface Doomed {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  /** Null: the table itself. */
  readonly column: string | null;
}

/** Reads of which tables a restore has made something that is not taken away. */
export async function readMadeObjects(client: pg.Client, restoreId: string): Promise<MadeObjects[]> {
  const { rows } = await client.query<MadeObjects>(
    `select target_oid as oid, schema_name as schema, table_name as "table", bool_or(kind = 'table') as "isWhole",
       coalesce(array_agg(name order by definition -> 'number') filter (where kind = 'column'), '{}') as columns
     from thaw.made_objects where restore_id = $1 and target_oid <> 0 and taken_at is null
     group by target_oid, schema_name, table_name
     order by schema_name, table_name`,
    [restoreId],
  );
  return rows;
}

/** Whether a table that was made is there still, under its name. */
export async function isThere(client: pg.Client, { oid, schema, table }: MadeObjects): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.oid = $1 and n.nspname = $2 and c.relname = $3`,
    [oid, schema, table],
  );
  return rowCount === 1;
}

/** Keeps others from reading and writing tables until the transaction ends. */
export async function lockTables(client: pg.Client, tables: readonly MadeObjects[]): Promise<void> {
  const names = tables.map(({ schema, table }) => qualifiedName(schema, table)).sort();
  await client.query(`lock table only ${names.join(', only ')} in access exclusive mode`);
}

/**
 * Why something cannot be taken away: it is not as it was made, holds something, or others need it. Its table is
 * locked.
 *
 * @param others that go with it
 * @returns null where it can
 */
export async function reasonToStay(
  client: pg.Client,
  restoreId: string,
  doomed: Doomed,
  others: readonly Doomed[],
): Promise<string | null> {
  return (
    (await findChange(client, restoreId, doomed)) ??
    (await findDependent(client, doomed, others)) ??
    (await findImages(client, restoreId, doomed)) ??
    (await findContent(client, restoreId, doomed))
  );
}

async function findChange(client: pg.Client, restoreId: string, doomed: Doomed): Promise<string | null> {
  const { oid, column } = doomed;
  const isAbout = ({ kind, columns }: Pick<ObjectFact, 'kind' | 'columns'>) =>
    column === null || (kind !== 'table' && columns.includes(column));
  const now = (await readFacts(client, [oid])).filter(isAbout);
  const { rows } = await client.query<{ kind: string; name: string; same: boolean }>(
    `select kind, name, coalesce(own.definition = now.definition, false) as same
     from (select * from thaw.made_objects where restore_id = $1 and target_oid = $2 and taken_at is null) as own
     full join jsonb_to_recordset($3) as now (kind text, name text, definition jsonb) using (kind, name)
     where own.definition is distinct from now.definition
       and (now.kind is not null or $4::text is null or own.kind = 'column' and own.name = $4)
     order by kind, name`,
    [restoreId, oid, JSON.stringify(now), column],
  );
  const [change] = rows;
  return change === undefined ? null : `${change.kind} ${change.name} was changed, or came or went`;
}

/** What depends on a table or column besides what it consists of itself. */
async function findDependent(
  client: pg.Client,
  { oid, column }: Doomed,
  others: readonly Doomed[],
): Promise<string | null> {
  const { rows } = await client.query<{ dependent: string }>(
    `select case when d.classid = 'pg_rewrite'::regclass
         then (select pg_describe_object('pg_class'::regclass, r.ev_class, 0) from pg_rewrite r where r.oid = d.objid)
         else pg_describe_object(d.classid, d.objid, d.objsubid)
       end as dependent
     from pg_depend d
     where d.refclassid = 'pg_class'::regclass and d.refobjid = $1 and d.deptype in ('n', 'a')
       and ($2::text is null or d.refobjsubid =
         (select attnum from pg_attribute where attrelid = $1 and attname = $2 and not attisdropped))
       and case d.classid
         when 'pg_attrdef'::regclass then false
         when 'pg_constraint'::regclass then not exists (
           select from pg_constraint k where k.oid = d.objid and k.conrelid = any($1 || $3::oid[]))
         when 'pg_class'::regclass then not exists (select from pg_index x where x.indexrelid = d.objid and x.indrelid = $1)
         when 'pg_trigger'::regclass then not exists (select from pg_trigger t where t.oid = d.objid and t.tgisinternal)
         else true
       end
     order by 1 limit 1`,
    [oid, column, others.filter((other) => other.column === null).map((other) => other.oid)],
  );
  return rows[0] === undefined ? null : `${rows[0].dependent} depends on it`;
}

/** Restores whose undo would need it. */
async function findImages(
  client: pg.Client,
  restoreId: string,
  { oid, column }: Doomed,
): Promise<string | null> {
  const { rows } = await client.query<{ restoreId: string }>(
    `select restore_id as "restoreId" from thaw.undo_tables as kept
     where target_oid = $1
       and ($2::text is null or exists (select from unnest(kept.columns) as name where starts_with(name, $2 || ' ')))
       and exists (select from thaw.undo_rows as row where row.restore_id = kept.restore_id and row.target_oid = $1)
     order by restore_id = $3 desc, restore_id limit 1`,
    [oid, column === null ? null : quoteIdentifier(column), restoreId],
  );
  const [other] = rows;
  if (other === undefined) return null;
  return other.restoreId === restoreId
    ? 'records of it were left'
    : `restore ${other.restoreId} can still be undone`;
}

async function findContent(
  client: pg.Client,
  restoreId: string,
  { oid, schema, table, column }: Doomed,
): Promise<string | null> {
  const name = qualifiedName(schema, table);
  if (column === null) {
    const { rowCount } = await client.query(`select from ${name} limit 1`);
    return rowCount === 0 ? null : 'it has records';
  }
  const { rowCount } = await client.query(
    `select from ${name} as live
     join thaw.made_objects as own on own.restore_id = $1 and own.target_oid = $2 and own.kind = 'column' and own.name = $3
     where not own.has_initial or live.${quoteIdentifier(column)}::text is distinct from own.initial
     limit 1`,
    [restoreId, oid, column],
  );
  return rowCount === 0 ? null : 'it has values';
}

/** Takes columns of a table away. */
export async function dropColumns(client: pg.Client, doomed: readonly Doomed[]): Promise<void> {
  const [first] = doomed;
  if (first === undefined) return;
  const drops = doomed.map(({ column }) => `drop column ${quoteIdentifier(column ?? '')}`);
  await client.query(`alter table ${qualifiedName(first.schema, first.table)} ${drops.join(', ')}`);
}

/** Takes tables away, that may refer to each other. */
export async function dropTables(client: pg.Client, doomed: readonly Doomed[]): Promise<void> {
  const names = doomed.map(({ schema, table }) => qualifiedName(schema, table));
  if (names.length > 0) await client.query(`drop table ${names.join(', ')}`);
}

/** Writes that something is taken away, with all that it consisted of, and no model is known that was it. */
export async function recordTaken(
  client: pg.Client,
  restoreId: string,
  { oid, schema, table, column }: Doomed,
): Promise<void> {
  await client.query(
    `update thaw.made_objects set taken_at = now(), left_why = null
     where restore_id = $1 and target_oid = $2 and taken_at is null and case
       when $3::text is null then true
       when kind = 'column' then name = $3
       when kind = 'index' then not exists (
         select from pg_index x join pg_class c on c.oid = x.indexrelid where x.indrelid = $2 and c.relname = name)
       else kind = 'constraint' and not exists (
         select from pg_constraint k where k.conrelid = $2 and k.conname = name)
     end`,
    [restoreId, oid, column],
  );
  if (column !== null) return;
  await client.query(
    'delete from thaw.bundle_models where restore_id = $1 and schema_name = $2 and model = $3',
    [restoreId, schema, table],
  );
  await client.query('delete from thaw.targets where target_oid = $1', [oid]);
}

/** Writes why something is left. */
export async function recordLeft(
  client: pg.Client,
  restoreId: string,
  { oid, column }: Pick<Doomed, 'oid' | 'column'>,
  why: string,
): Promise<void> {
  await client.query(
    `update thaw.made_objects set left_why = $4
     where restore_id = $1 and target_oid = $2 and taken_at is null and case
       when $3::text is null then kind in ('schema', 'table') else kind = 'column' and name = $3 end`,
    [restoreId, oid, column, why],
  );
}

/**
 * Takes a schema away that a restore has made, where it is as it was made and holds nothing.
 *
 * @returns why it is left; null where it is gone, or was none
 */
export async function dropMadeSchema(client: pg.Client, restoreId: string): Promise<string | null> {
  const { rows } = await client.query<{ name: string; same: boolean; holds: string | null }>(
    `select own.name, own.definition = ${schemaDefinition} as same,
       (select pg_describe_object(d.classid, d.objid, d.objsubid) from pg_depend d
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid order by 1 limit 1) as holds
     from thaw.made_objects as own join pg_namespace n on n.nspname = own.name
     where own.restore_id = $1 and own.kind = 'schema' and own.taken_at is null`,
    [restoreId],
  );
  const [schema] = rows;
  if (schema !== undefined) {
    if (!schema.same) return 'it was changed';
    if (schema.holds !== null) return `it holds ${schema.holds}`;
    await client.query(`drop schema ${quoteIdentifier(schema.name)}`);
  }
  await client.query(
    `update thaw.made_objects set taken_at = now(), left_why = null
     where restore_id = $1 and kind = 'schema' and taken_at is null`,
    [restoreId],
  );
  return null;
}

/** Counts what of that which a restore has made is taken away; null where there was nothing. @param limit of what is left by name */
export async function readTakenObjects(
  client: pg.Client,
  restoreId: string,
  limit: number,
): Promise<TakenObjects | null> {
  const { rows } = await client.query<TakenObjects>(
    `with own as (
       select *, exists (
         select from thaw.made_objects whole
         where whole.restore_id = made.restore_id and whole.target_oid = made.target_oid and whole.kind = 'table') as within
       from thaw.made_objects as made where restore_id = $1
     ), things as (
       select *, concat_ws('.', schema_name, table_name, case kind when 'column' then name end) as object
       from own where kind in ('schema', 'table') or kind = 'column' and not within
     ), kept as (select * from things where taken_at is null)
     select (select count(*) from things where kind = 'table' and taken_at is not null) as models,
       (select count(*) from things where kind = 'column' and taken_at is not null) as fields,
       (select count(*) from kept) as left,
       (select coalesce(json_agg(json_build_object('object', object, 'why', coalesce(left_why, 'not tried')) order by object), '[]')
        from (select * from kept order by object limit $2) as first) as examples`,
    [restoreId, limit],
  );
  const [taken] = rows;
  return taken === undefined || taken.models + taken.fields + taken.left === 0 ? null : taken;
}
