import type pg from 'pg';
import type { SnapshotTableName } from '../contract/snapshot.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { exactIsoTime } from './kept.ts';
import { databaseError } from './sqlstate.ts';

/** A table that holds changes of rows: `backup_transaction_logs` of the snapshot document, or one like it. */
export interface ChangeLog extends SnapshotTableName {
  /** A column of numbers that PostgreSQL counts up, which tells what of one instant came first; null for none. */
  readonly sequence: string | null;
  readonly hasId: boolean;
  readonly hasRecordId: boolean;
  readonly hasTenant: boolean;
  /** From when on it is known to be complete, ISO 8601, by the table's comment; null: nobody says. */
  readonly completeSince: string | null;
}

/** Columns that a log must have, and their types. */
const requiredColumns: Readonly<Record<string, readonly string[]>> = {
  table_name: ['text', 'character varying', 'name'],
  operation: ['text', 'character varying', 'name', '"char"', 'character'],
  old_data: ['jsonb', 'json'],
  new_data: ['jsonb', 'json'],
  changed_at: ['timestamp with time zone'],
};

/**
 * Finds a log and sees that it is one.
 *
 * @throws ThawError `TargetMissing`; `SchemaIncompatible` with the column that is missing or of another type;
 * `PermissionDenied`; `ConfigInvalid` for a comment that tells no time
 */
export async function findChangeLog(
  client: pg.Client,
  { schema, table }: SnapshotTableName,
): Promise<ChangeLog> {
  const object = `${schema}.${table}`;
  try {
    const { rows } = await client.query<LogRow>(logSql, [schema, table]);
    const [found] = rows;
    if (found === undefined) {
      throw new ThawError('TargetMissing', `${object}: there is no such table of changes.`, {
        object,
        hint: 'Name it with --log schema.table. Without a log, only the moment of a snapshot can be restored.',
      });
    }
    if (!found.readable) {
      throw new ThawError(
        'PermissionDenied',
        `${object}: changes in it may not be read, or not all of them.`,
        {
          object,
          hint: 'Grant select on it, and restore as a user to whom none of its row-level policies applies.',
        },
      );
    }
    const types = new Map(found.columns.map(({ name, type }) => [name, type]));
    for (const [name, allowed] of Object.entries(requiredColumns)) {
      const type = types.get(name);
      if (type === undefined || !allowed.includes(type)) throw noLog(object, name, allowed[0] ?? '', type);
    }
    return {
      ...{ schema, table },
      sequence: found.sequence,
      hasId: types.has('id'),
      hasRecordId: types.has('record_id'),
      hasTenant: types.has('tenant_id'),
      completeSince: found.since === null ? null : await timeOf(client, found.since, object),
    };
  } catch (error) {
    throw databaseError(error, { object });
  }
}

/** When the first change was logged, ISO 8601; null for an empty log. @throws what PostgreSQL answers, raw */
export async function firstLogged(client: pg.Client, log: SnapshotTableName): Promise<string | null> {
  const { rows } = await client.query<{ at: string | null }>(
    `select ${exactIsoTime('min(changed_at)')} as at from ${qualifiedName(log.schema, log.table)}`,
  );
  return rows[0]?.at ?? null;
}

/**
 * The names by which a log may speak of a table: with its schema, and plain where that means this one: the table of
 * that name in the schema of the log, or else in `public`, or else the only one there is.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function namesInLog(
  client: pg.Client,
  log: SnapshotTableName,
  target: SnapshotTableName & { readonly oid: number },
): Promise<string[]> {
  const { rows } = await client.query<{ plain: boolean }>(
    `with same as (
       select c.oid, n.nspname, array_position(array[$2, 'public'], n.nspname::text) as place
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relname = $1 and c.relkind in ('r', 'p') and not c.relispartition
         and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
     )
     select exists (
       select from same
       where oid = $3 and (
         place = (select min(place) from same) or (select count(*) from same) = 1
       )
     ) as plain`,
    [target.table, log.schema, target.oid],
  );
  const names = [`${target.schema}.${target.table}`, qualifiedName(target.schema, target.table)];
  // As format('%I.%I') and regclass write them.
  names.push(`${quoted(target.schema)}.${quoted(target.table)}`);
  if (rows[0]?.plain === true && !target.table.includes('.')) names.push(target.table, quoted(target.table));
  return [...new Set(names)];
}

function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : quoteIdentifier(name);
}

interface LogRow {
  readonly readable: boolean;
  readonly sequence: string | null;
  readonly since: string | null;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

const logSql = `
  select has_table_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage')
      and not row_security_active(c.oid) as readable,
    (select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, null)))
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
    (select a.attname::text
      from pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        and a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
        and (a.attidentity <> '' or exists (
          select from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
          where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
            and d.refobjid = c.oid and d.refobjsubid = a.attnum
        ))
      order by a.attname <> 'log_sequence', a.attnum
      limit 1) as sequence,
    substring(obj_description(c.oid, 'pg_class') from 'complete since (\\S+)') as since
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')`;

async function timeOf(client: pg.Client, text: string, object: string): Promise<string> {
  try {
    const { rows } = await client.query<{ at: string }>(`select ${exactIsoTime('$1::timestamptz')} as at`, [
      text,
    ]);
    return rows[0]?.at ?? '';
  } catch (cause) {
    throw new ThawError('ConfigInvalid', `${object}: its comment tells no time since when it is complete.`, {
      object,
      hint: `Correct it, for example: comment on table ${object} is 'complete since 2026-01-31T00:00:00Z'`,
      cause,
    });
  }
}

function noLog(object: string, column: string, type: string, found: string | undefined): ThawError {
  const what =
    found === undefined ? `it has no column ${column}` : `its column ${column} is of the type ${found}`;
  return new ThawError('SchemaIncompatible', `${object}: it is no table of changes: ${what}.`, {
    object,
    column,
    hint: `A log has a column ${column} of the type ${type}. Name another table with --log.`,
  });
}
