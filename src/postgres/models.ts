import type pg from 'pg';
import { qualifiedName, quoteIdentifier, quoteLiteral } from './identifier.ts';
import { runMany } from './run-many.ts';
import { isSqlState } from './sqlstate.ts';

/** A column to be made; its SQL is quoted already. */
export interface NewColumn {
  readonly name: string;
  /** Type, default and constraints. */
  readonly definition: string;
  readonly index: boolean;
  readonly comment: string | null;
}

/** A foreign key to be made. */
export interface NewForeignKey {
  readonly table: string;
  readonly column: string;
  readonly parent: string;
  readonly parentColumn: string;
  readonly cascade: boolean;
}

/** Key of the advisory locks under which models are made, one for each schema: "bndl" in ASCII. */
const modelsLock = 0x626e646c;

/** Keeps others from making models in a schema until the transaction ends. */
export async function lockModels(client: pg.Client, schema: string): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1, hashtext($2))', [modelsLock, schema]);
}

/** The names of the columns of some tables of a schema, by table; null where there is no such schema. */
export async function readModels(
  client: pg.Client,
  schema: string,
  tables: readonly string[],
): Promise<Map<string, ReadonlySet<string>> | null> {
  const { rows } = await client.query<{ table: string | null; columns: string[] | null }>(
    `select c.relname as table, array_agg(a.attname::text) as columns
     from pg_namespace n
     left join pg_class c on c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')
       and c.relname = any($2::name[])
     left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where n.nspname = $1
     group by c.oid, c.relname`,
    [schema, tables],
  );
  if (rows.length === 0) return null;
  return new Map(
    rows.flatMap(({ table, columns }) => (table === null ? [] : [[table, new Set(columns ?? [])]])),
  );
}

/** Makes a schema for models. */
export async function createNamespace(client: pg.Client, schema: string): Promise<void> {
  await client.query(`create schema ${quoteIdentifier(schema)}`);
}

/** The statements that make a table. */
export function createModel(
  schema: string,
  table: string,
  columns: readonly NewColumn[],
  comment: string | null,
): string {
  const name = qualifiedName(schema, table);
  const list = columns.map((column) => `${quoteIdentifier(column.name)} ${column.definition}`);
  const statements = [`create table ${name} (${list.join(', ')})`, ...extras(name, columns)];
  if (comment !== null) statements.push(`comment on table ${name} is ${quoteLiteral(comment)}`);
  return statements.join(';\n');
}

/** The statements that add columns to a table. */
export function addColumns(schema: string, table: string, columns: readonly NewColumn[]): string {
  const name = qualifiedName(schema, table);
  const list = columns.map((column) => `add column ${quoteIdentifier(column.name)} ${column.definition}`);
  return [`alter table ${name} ${list.join(', ')}`, ...extras(name, columns)].join(';\n');
}

function extras(table: string, columns: readonly NewColumn[]): string[] {
  return columns.flatMap(({ name, index, comment }) => [
    ...(index ? [`create index on ${table} (${quoteIdentifier(name)})`] : []),
    ...(comment === null
      ? []
      : [`comment on column ${table}.${quoteIdentifier(name)} is ${quoteLiteral(comment)}`]),
  ]);
}

/** The columns of some tables that a foreign key of their own stands on, by table. */
export async function readReferringColumns(
  client: pg.Client,
  schema: string,
  tables: readonly string[],
): Promise<Map<string, ReadonlySet<string>>> {
  const { rows } = await client.query<{ table: string; columns: string[] }>(
    `select c.relname as table, array_agg(a.attname::text) as columns
     from pg_constraint k
     join pg_class c on c.oid = k.conrelid
     join pg_namespace n on n.oid = c.relnamespace
     join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
     where k.contype = 'f' and cardinality(k.conkey) = 1 and n.nspname = $1 and c.relname = any($2::name[])
     group by c.relname`,
    [schema, tables],
  );
  return new Map(rows.map(({ table, columns }) => [table, new Set(columns)]));
}

/** The statement that makes a foreign key, deferrable, so that tables that point at each other can be loaded in one transaction. */
export function addForeignKey(schema: string, key: NewForeignKey): string {
  return `alter table ${qualifiedName(schema, key.table)}
     add foreign key (${quoteIdentifier(key.column)})
     references ${qualifiedName(schema, key.parent)} (${quoteIdentifier(key.parentColumn)})
     ${key.cascade ? 'on delete cascade' : ''} deferrable`;
}

/** Tells which texts PostgreSQL takes for regular expressions, in a transaction that goes on either way. */
export async function readPatterns(
  client: pg.Client,
  patterns: readonly string[],
): Promise<ReadonlySet<string>> {
  const taken = new Set(patterns);
  const places = [...taken];
  await runMany(
    client,
    places.map((pattern) => `select '' ~ ${quoteLiteral(pattern)}`),
    {
      isOwn: (error) => isSqlState(error, '2201B'),
      refused: (place) => taken.delete(places[place] ?? ''),
    },
  );
  return taken;
}
