import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import { type FoundType, findTypes } from './find-types.ts';
import type { TableName } from './foreign-keys.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { databaseError, isSqlState, sqlState } from './sqlstate.ts';

/** A column of a {@link NewTable}. */
export interface NewColumn {
  readonly name: string;
  /** Its name in `pg_type`, with length or precision. */
  readonly type: { readonly name: string | null; readonly modifiers: readonly number[] };
  /** Its type is not one of PostgreSQL's own. */
  readonly userDefined: boolean;
  readonly notNull: boolean;
  readonly identity: boolean;
  readonly default: string | null;
}

/** A key of a {@link NewTable}; without a name PostgreSQL gives it one. */
export interface NewKey {
  readonly name: string | null;
  readonly columns: readonly string[];
}

/** A foreign key of a {@link NewTable}. */
export interface NewForeignKey extends NewKey {
  readonly parent: TableName;
  readonly parentColumns: readonly string[];
}

/** A table to make. Names may hold anything; expressions are SQL, and have to be harmless. */
export interface NewTable {
  readonly columns: readonly NewColumn[];
  readonly primaryKey: NewKey | null;
  readonly uniques: readonly NewKey[];
  readonly checks: readonly { readonly name: string | null; readonly clause: string }[];
  readonly indexes: readonly {
    readonly name: string | null;
    readonly unique: boolean;
    readonly method: string;
    /** Its columns and all that follows as SQL, or names of columns alone. */
    readonly of: string | readonly string[];
  }[];
  /** Columns that get another name once all is made that speaks of them: old to new. */
  readonly renamedColumns: Readonly<Record<string, string>>;
}

/** What of a table is made after its columns, and left out where PostgreSQL refuses it. */
interface Part {
  readonly what: string;
  readonly sql: string;
}

/**
 * Makes a table, without its foreign keys, in the transaction at hand. Columns come out as they are asked for;
 * of all else, what PostgreSQL refuses is left out.
 *
 * @param archivedSchema where types are looked for besides the schema of the table and the search path
 * @returns what was left out, and why, for the user
 * @throws ThawError `SchemaIncompatible` naming types that are not there; `TargetMissing` without the schema
 */
export async function createTable(
  client: pg.Client,
  name: TableName,
  table: NewTable,
  archivedSchema: string,
): Promise<string[]> {
  const object = `${name.schema}.${name.table}`;
  const target = qualifiedName(name.schema, name.table);
  try {
    // Where expressions speak of types without their schema, they mean those beside the table.
    await client.query(
      `select set_config('search_path', quote_ident($1) || ', ' || current_setting('search_path'), true)`,
      [name.schema],
    );
    const columns = await columnsSql(client, name, table.columns, archivedSchema);
    await client.query(`create table ${target} (${columns.join(', ')})`);
    const taken = await takenNames(client, name.schema, table);
    const leftOut: string[] = [];
    for (const { what, sql } of partsOf(target, table, taken)) {
      const reason = await refusal(client, sql);
      if (reason !== null) leftOut.push(`${what} is left out: ${reason}.`);
    }
    for (const [from, to] of Object.entries(table.renamedColumns)) {
      const names = `${quoteIdentifier(from)} to ${quoteIdentifier(to)}`;
      await client.query(`alter table ${target} rename column ${names}`);
    }
    return leftOut;
  } catch (error) {
    if (error instanceof RangeError)
      throw new ThawError('SchemaIncompatible', `${object}: ${error.message}`, { object });
    throw creationError(error, name);
  }
}

/**
 * Adds a foreign key to a table that was just made, in the same transaction.
 *
 * @returns why it is left out, for the user; null where it is there
 */
export async function addForeignKey(
  client: pg.Client,
  child: TableName,
  { name, columns, parent, parentColumns }: NewForeignKey,
): Promise<string | null> {
  const reason = await refusal(
    client,
    `alter table ${qualifiedName(child.schema, child.table)} add ${constraint(name)}foreign key (${list(columns)})
     references ${qualifiedName(parent.schema, parent.table)} (${list(parentColumns)})`,
  );
  if (reason === null) return null;
  return `Foreign key ${name ?? columns.join(', ')} to ${parent.schema}.${parent.table} is left out: ${reason}.`;
}

/** Of some tables, those that are not there. */
export async function missingTables<T extends TableName>(
  client: pg.Client,
  tables: readonly T[],
): Promise<T[]> {
  const { rows } = await client.query<{ place: number }>(
    `select name.place::int4 as place
     from unnest($1::text[], $2::text[]) with ordinality as name (schema, "table", place)
     where not exists (
       select from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = name.schema and c.relname = name.table)
     order by 1`,
    [tables.map(({ schema }) => schema), tables.map(({ table }) => table)],
  );
  return rows.flatMap(({ place }) => tables[place - 1] ?? []);
}

async function columnsSql(
  client: pg.Client,
  { schema, table }: TableName,
  columns: readonly NewColumn[],
  archivedSchema: string,
): Promise<string[]> {
  const object = `${schema}.${table}`;
  const wanted = columns.map(({ type, userDefined }) => ({ name: type.name, userDefined }));
  const types = await findTypes(client, wanted, [schema, archivedSchema]);
  const missing = columns.filter((_, place) => (types[place] ?? null) === null);
  if (missing.length > 0) {
    const names = missing.map(({ name, type }) => `${name} (${type.name ?? 'the archives do not tell'})`);
    throw new ThawError('SchemaIncompatible', `${object}: there is no type for column ${names.join(', ')}.`, {
      object,
      hint: 'Create the types first, as archives do not hold their definitions, or create the table yourself.',
    });
  }
  return types.flatMap((type, place) => {
    const column = columns[place];
    return type === null || column === undefined ? [] : [columnSql(column, type)];
  });
}

function columnSql({ name, type, notNull, identity }: NewColumn, found: FoundType): string {
  const length = type.modifiers.length === 0 ? '' : `(${type.modifiers.map(Math.trunc).join(', ')})`;
  return [
    `${quoteIdentifier(name)} ${qualifiedName(found.schema, found.name)}${length}`,
    ...(notNull ? ['not null'] : []),
    ...(identity ? ['generated by default as identity'] : []),
  ].join(' ');
}

function partsOf(target: string, table: NewTable, taken: ReadonlySet<string>): Part[] {
  const free = (name: string | null) => (name === null || taken.has(name) ? null : name);
  const key = (kind: string, { name, columns }: NewKey): Part => ({
    what: `Key ${name ?? columns.join(', ')}`,
    sql: `alter table ${target} add ${constraint(free(name))}${kind} (${list(columns)})`,
  });
  return [
    ...table.columns.flatMap(({ name, default: value }): Part[] => {
      if (value === null) return [];
      const sql = `alter table ${target} alter column ${quoteIdentifier(name)} set default (${value})`;
      return [{ what: `The default of column ${name}`, sql }];
    }),
    ...(table.primaryKey === null ? [] : [key('primary key', table.primaryKey)]),
    ...table.uniques.map((unique) => key('unique', unique)),
    ...table.checks.map(({ name, clause }) => ({
      what: `Check ${name ?? 'without a name'}`,
      sql: `alter table ${target} add ${constraint(name)}check (${clause})`,
    })),
    ...table.indexes.map(({ name, unique, method, of }) => {
      const own = free(name);
      const named = own === null ? '' : ` ${quoteIdentifier(own)}`;
      return {
        what: `Index ${name ?? 'without a name'}`,
        sql: `create ${unique ? 'unique ' : ''}index${named} on ${target} using ${quoteIdentifier(method)} ${typeof of === 'string' ? of : `(${list(of)})`}`,
      };
    }),
  ];
}

function constraint(name: string | null): string {
  return name === null ? '' : `constraint ${quoteIdentifier(name)} `;
}

function list(columns: readonly string[]): string {
  return columns.map(quoteIdentifier).join(', ');
}

/** Names that keys and indexes of the table would have, and that others of its schema have already. */
async function takenNames(client: pg.Client, schema: string, table: NewTable): Promise<ReadonlySet<string>> {
  const names = [table.primaryKey, ...table.uniques, ...table.indexes].flatMap((part) => part?.name ?? []);
  const { rows } = await client.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = any($2)`,
    [schema, names],
  );
  return new Set(rows.map(({ name }) => name));
}

/** Runs a statement that PostgreSQL may refuse. Gives its reason, without the full stop; null where it was done. */
async function refusal(client: pg.Client, sql: string): Promise<string | null> {
  await client.query('savepoint part');
  try {
    await client.query(sql);
    await client.query('release savepoint part');
    return null;
  } catch (error) {
    const refused = databaseError(error, { object: 'PostgreSQL' });
    if (refused.retryable) throw refused;
    await client.query('rollback to savepoint part');
    return refused.message.replace(/\.$/, '');
  }
}

function creationError(error: unknown, { schema, table }: TableName): ThawError {
  const object = `${schema}.${table}`;
  if (isSqlState(error, sqlState.invalidSchemaName)) {
    return new ThawError('TargetMissing', `${object}: there is no schema ${schema}.`, {
      object,
      hint: `Create it first: create schema ${quoteIdentifier(schema)}`,
    });
  }
  if (isSqlState(error, sqlState.insufficientPrivilege)) {
    return new ThawError('PermissionDenied', `${object}: the user of Thaw may not create it.`, {
      object,
      sqlstate: sqlState.insufficientPrivilege,
      hint: `As the owner, grant usage and create on schema ${quoteIdentifier(schema)} to the user that Thaw connects as.`,
    });
  }
  return databaseError(error, { object });
}
