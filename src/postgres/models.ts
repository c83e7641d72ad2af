import type pg from 'pg';
import { qualifiedName, quoteIdentifier, quoteLiteral } from './identifier.ts';
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

/** The names of the columns of every table of a schema, by table; null where there is no such schema. */
export async function readModels(
  client: pg.Client,
  schema: string,
): Promise<Map<string, ReadonlySet<string>> | null> {
  const { rows } = await client.query<{ table: string | null; columns: string[] | null }>(
    `select c.relname as table, array_agg(a.attname::text) as columns
     from pg_namespace n
     left join pg_class c on c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')
     left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where n.nspname = $1
     group by c.oid, c.relname`,
    [schema],
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

/** Makes a table. */
export async function createModel(
  client: pg.Client,
  schema: string,
  table: string,
  columns: readonly NewColumn[],
  comment: string | null,
): Promise<void> {
  const name = qualifiedName(schema, table);
  const list = columns.map((column) => `${quoteIdentifier(column.name)} ${column.definition}`);
  const statements = [`create table ${name} (${list.join(', ')})`, ...extras(name, columns)];
  if (comment !== null) statements.push(`comment on table ${name} is ${quoteLiteral(comment)}`);
  await client.query(statements.join(';\n'));
}

/** Adds columns to a table. */
export async function addColumns(
  client: pg.Client,
  schema: string,
  table: string,
  columns: readonly NewColumn[],
): Promise<void> {
  const name = qualifiedName(schema, table);
  const list = columns.map((column) => `add column ${quoteIdentifier(column.name)} ${column.definition}`);
  await client.query([`alter table ${name} ${list.join(', ')}`, ...extras(name, columns)].join(';\n'));
}

function extras(table: string, columns: readonly NewColumn[]): string[] {
  return columns.flatMap(({ name, index, comment }) => [
    ...(index ? [`create index on ${table} (${quoteIdentifier(name)})`] : []),
    ...(comment === null
      ? []
      : [`comment on column ${table}.${quoteIdentifier(name)} is ${quoteLiteral(comment)}`]),
  ]);
}

/** The columns that a foreign key of their own stands on, by table. */
export async function readReferringColumns(
  client: pg.Client,
  schema: string,
): Promise<Map<string, ReadonlySet<string>>> {
  const { rows } = await client.query<{ table: string; columns: string[] }>(
    `select c.relname as table, array_agg(a.attname::text) as columns
     from pg_constraint k
     join pg_class c on c.oid = k.conrelid
     join pg_namespace n on n.oid = c.relnamespace
     join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
     where k.contype = 'f' and cardinality(k.conkey) = 1 and n.nspname = $1
     group by c.relname`,
    [schema],
  );
  return new Map(rows.map(({ table, columns }) => [table, new Set(columns)]));
}

/** Makes a foreign key, deferrable, so that tables that point at each other can be loaded in one transaction. */
export async function addForeignKey(
  client: pg.Client,
  schema: string,
  table: string,
  key: NewForeignKey,
): Promise<void> {
  await client.query(
    `alter table ${qualifiedName(schema, table)}
     add foreign key (${quoteIdentifier(key.column)})
     references ${qualifiedName(schema, key.parent)} (${quoteIdentifier(key.parentColumn)})
     ${key.cascade ? 'on delete cascade' : ''} deferrable`,
  );
}

/** Tells whether PostgreSQL takes a text for a regular expression, in a transaction that goes on either way. */
export async function isPattern(client: pg.Client, pattern: string): Promise<boolean> {
  return tryOut(client, () => client.query(`select '' ~ $1`, [pattern]), ['2201B']);
}

/**
 * Does something within a transaction that may fail.
 *
 * @param sqlStates by which it may fail
 * @returns whether it was done; where not, the transaction is as it was before
 */
export async function tryOut(
  client: pg.Client,
  work: () => Promise<unknown>,
  sqlStates: readonly string[],
): Promise<boolean> {
  await client.query('savepoint tried');
  try {
    await work();
    await client.query('release savepoint tried');
    return true;
  } catch (error) {
    if (!isSqlState(error, ...sqlStates)) throw error;
    await client.query('rollback to savepoint tried');
    return false;
  }
}
