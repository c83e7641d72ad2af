import type pg from 'pg';
import { readKept } from './kept.ts';

/** What of a table can be compared with what it was. */
export interface ObjectFact {
  /** `pg_class.oid` of the table; 0 for a schema. */
  readonly oid: number;
  readonly kind: 'schema' | 'table' | 'column' | 'index' | 'constraint';
  readonly name: string;
  /** Of an index or a constraint, those that it is about; of a column itself. */
  readonly columns: readonly string[];
  /** All that makes it what it is, as PostgreSQL writes it. */
  readonly definition: Readonly<Record<string, unknown>>;
  /** Of a column, what the rows that were there got when it was added, as text. */
  readonly initial: string | null;
  /** False where each row got another value. */
  readonly hasInitial: boolean;
}

/** A table that a restore has made or altered. */
export interface MadeTable {
  readonly table: string;
  /** Null: the table itself; else names of the columns. */
  readonly columns: readonly string[] | null;
}

/** A restore, and the schema that it makes tables in. */
export interface MadeScope {
  readonly restoreId: string;
  readonly namespace: string;
}

/** Writes down that an import can be undone, before it does anything. */
export async function recordUndoableImport(
  client: pg.Client,
  { restoreId, namespace, database }: MadeScope & { readonly database: string },
): Promise<void> {
  await client.query(
    `insert into thaw.undoable_imports (restore_id, database, schema_name) values ($1, $2, $3)
     on conflict do nothing`,
    [restoreId, database, namespace],
  );
}

/** Reads an import that can be undone; null where the database has none of that id. */
export async function readUndoableImport(
  client: pg.Client,
  restoreId: string,
): Promise<{ readonly database: string } | null> {
  const [found] = await readKept<{ readonly database: string }>(
    client,
    'thaw.undoable_imports',
    'select database from thaw.undoable_imports where restore_id = $1',
    [restoreId],
  );
  return found ?? null;
}

/** Writes down that a restore has made its schema, in the transaction that made it. */
export async function recordMadeSchema(
  client: pg.Client,
  { restoreId, namespace }: MadeScope,
): Promise<void> {
  await client.query(
    `insert into thaw.made_objects (restore_id, target_oid, kind, schema_name, name, definition)
     select $1, 0, 'schema', nspname, nspname, ${schemaDefinition} from pg_namespace as n where nspname = $2
     on conflict do nothing`,
    [restoreId, namespace],
  );
}

/**
 * Writes down what a restore has made of tables, in the transaction that made it: with a table all that it has, with
 * a column the indexes and constraints on it.
 */
export async function recordMadeTables(
  client: pg.Client,
  { restoreId, namespace }: MadeScope,
  made: readonly MadeTable[],
): Promise<void> {
  const { rows } = await client.query<{ oid: number; table: string }>(
    `select c.oid, c.relname as "table" from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = any($2)`,
    [namespace, made.map(({ table }) => table)],
  );
  const columnsOf = new Map(made.map(({ table, columns }) => [table, columns]));
  const own = new Map(rows.map(({ oid, table }) => [oid, columnsOf.get(table) ?? null]));
  const facts = (await readFacts(client, [...own.keys()])).filter(({ oid, kind, columns }) => {
    const wanted = own.get(oid) ?? null;
    return wanted === null || (kind !== 'table' && columns.some((name) => wanted.includes(name)));
  });
  await client.query(
    `insert into thaw.made_objects
       (restore_id, target_oid, kind, schema_name, table_name, name, definition, initial, has_initial)
     select $1, fact.oid, fact.kind, $2, c.relname, fact.name, fact.definition, fact.initial, fact."hasInitial"
     from jsonb_to_recordset($3) as fact
       (oid oid, kind text, name text, definition jsonb, initial text, "hasInitial" boolean)
     join pg_class c on c.oid = fact.oid
     on conflict do nothing`,
    [restoreId, namespace, JSON.stringify(facts)],
  );
}

/** Reads what there is to compare of tables, by their oids. */
export async function readFacts(client: pg.Client, oids: readonly number[]): Promise<ObjectFact[]> {
  // Names are written with their schemas then, whatever the user has set.
  const { rows: settings } = await client.query<{ path: string }>(
    "select current_setting('search_path') as path, set_config('search_path', '', true)",
  );
  const { rows } = await client.query<ObjectFact>(factsSql, [oids]);
  await client.query("select set_config('search_path', $1, true)", [settings[0]?.path ?? '']);
  return rows;
}

/** Of the schema `n`. */
export const schemaDefinition = `jsonb_build_object(
    'owner', n.nspowner::regrole, 'acl', n.nspacl::text, 'comment', obj_description(n.oid, 'pg_namespace'))`;

const columnNames = (numbers: string) => `array(
    select a.attname::text from unnest(${numbers}) as part (number)
    join pg_attribute a on a.attrelid = c.oid and a.attnum = part.number)`;

const factsSql = `
  with wanted as (select * from pg_class where oid = any($1::oid[]))
  select c.oid, 'table' as kind, c.relname as name, '{}'::text[] as columns, jsonb_build_object(
      'kind', c.relkind, 'schema', c.relnamespace::regnamespace, 'owner', c.relowner::regrole, 'acl', c.relacl::text,
      'persistence', c.relpersistence, 'options', c.reloptions, 'tablespace', c.reltablespace,
      'security', array[c.relrowsecurity, c.relforcerowsecurity], 'replica', c.relreplident,
      'partition', c.relispartition, 'type', c.reloftype::regtype, 'comment', obj_description(c.oid, 'pg_class')
    ) as definition, null as initial, true as "hasInitial"
  from wanted as c
  union all
  select c.oid, 'column', col.attname, array[col.attname::text], jsonb_build_object(
      'number', col.attnum, 'type', format_type(col.atttypid, col.atttypmod), 'collation', col.attcollation,
      'required', col.attnotnull, 'default', pg_get_expr(d.adbin, d.adrelid), 'identity', col.attidentity,
      'generated', col.attgenerated, 'storage', col.attstorage, 'options', col.attoptions, 'acl', col.attacl::text,
      'inherited', col.attinhcount, 'comment', col_description(c.oid, col.attnum)
    ), (col.attmissingval::text::text[])[1], d.oid is null or col.atthasmissing
  from wanted as c
  join pg_attribute col on col.attrelid = c.oid and col.attnum > 0 and not col.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = col.attnum
  union all
  select c.oid, 'index', i.relname, ${columnNames('x.indkey::int2[]')}, jsonb_build_object(
      'is', pg_get_indexdef(i.oid), 'valid', x.indisvalid, 'clustered', x.indisclustered,
      'tablespace', i.reltablespace, 'comment', obj_description(i.oid, 'pg_class')
    ), null, true
  from wanted as c
  join pg_index x on x.indrelid = c.oid
  join pg_class i on i.oid = x.indexrelid
  where not exists (select from pg_constraint k where k.conindid = i.oid and k.contype in ('p', 'u', 'x'))
  union all
  select c.oid, 'constraint', k.conname, ${columnNames('k.conkey')}, jsonb_build_object(
      'is', pg_get_constraintdef(k.oid), 'valid', k.convalidated, 'comment', obj_description(k.oid, 'pg_constraint')
    ), null, true
  from wanted as c
  join pg_constraint k on k.conrelid = c.oid`;
