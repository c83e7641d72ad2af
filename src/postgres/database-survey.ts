import type pg from 'pg';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { isSqlState, sqlState } from './sqlstate.ts';

/** The server and the database of a connection. */
export interface DatabaseIdentity {
  readonly name: string;
  readonly oid: number;
  /** Such as `15.18`. */
  readonly serverVersion: string;
  readonly bytes: number;
}

/** A table that holds rows of its own: an ordinary one or a partition, unlogged ones too; no foreign table. */
export interface StoredTable {
  readonly schema: string;
  readonly table: string;
  /** Tables that it is a partition of, the nearest first. */
  readonly roots: readonly { readonly schema: string; readonly table: string }[];
  /** As PostgreSQL estimates; null where it does not. */
  readonly estimate: number | null;
  readonly bytes: number;
  /** What rows pg_dump takes of a table of an extension, as a `where` clause; null: all. */
  readonly condition: string | null;
}

/** A sequence that gives an integer column its values. */
export interface NumberedColumn {
  readonly schema: string;
  readonly sequence: string;
  readonly tableSchema: string;
  readonly table: string;
  readonly column: string;
  readonly increment: string;
  readonly least: string;
  readonly greatest: string;
  /** No two rows may have the same value. */
  readonly isUnique: boolean;
}

/** Where a sequence and its column are; numbers as text, since they go to 2^63. */
export interface SequencePosition {
  readonly last: string;
  readonly isCalled: boolean;
  /** The furthest value of the column, in the direction of the sequence; null where there is none. */
  readonly furthest: string | null;
}

/** Something in a catalog that is not as it should be. */
export interface CatalogFlaw {
  readonly kind: 'invalid index' | 'unvalidated constraint' | 'unpopulated view';
  readonly schema: string;
  /** Of the index, of the view, or of the table or domain that the constraint belongs to. */
  readonly name: string;
  readonly constraint: string | null;
}

/** Neither the server's own nor of a session. */
const userSchema = `n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`;

const notOfExtension = (catalog: string, oid: string) => `not exists (
  select 1 from pg_depend e
  where e.classid = '${catalog}'::regclass and e.objid = ${oid} and e.deptype = 'e')`;

/** Reads which database a connection is to. */
export async function readIdentity(client: pg.Client): Promise<DatabaseIdentity> {
  const { rows } = await client.query<DatabaseIdentity>(
    `select d.datname as name, d.oid, split_part(current_setting('server_version'), ' ', 1) as "serverVersion",
       pg_database_size(d.oid) as bytes
     from pg_database d where d.datname = current_database()`,
  );
  const [identity] = rows;
  if (identity === undefined) throw new Error('the current database is not in pg_database');
  return identity;
}

/** Lists the tables whose rows a dump holds, the largest first. */
export async function listStoredTables(client: pg.Client): Promise<StoredTable[]> {
  const { rows } = await client.query<StoredTable>(
    `select n.nspname as schema, c.relname as table,
       case when c.reltuples >= 0 then c.reltuples::float8 end as estimate,
       pg_table_size(c.oid) as bytes,
       coalesce((
         select json_agg(json_build_object('schema', rn.nspname, 'table', r.relname) order by up.depth)
         from pg_partition_ancestors(c.oid) with ordinality as up (relid, depth)
         join pg_class r on r.oid = up.relid
         join pg_namespace rn on rn.oid = r.relnamespace
         where up.relid <> c.oid and c.relispartition
       ), '[]') as roots,
       x.condition
     from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     left join lateral (
       select nullif(e.extcondition[array_position(e.extconfig, c.oid)], '') as condition
       from pg_extension e where c.oid = any (e.extconfig)
     ) as x on true
     where c.relkind = 'r' and c.relpersistence <> 't' and ${userSchema}
       and (${notOfExtension('pg_class', 'c.oid')} or exists (
         select 1 from pg_extension e where c.oid = any (e.extconfig)))
     order by pg_table_size(c.oid) desc, n.nspname, c.relname`,
  );
  return rows;
}

/**
 * Counts the rows that a table holds itself. With `row_security` off, so that a policy that would hide rows raises
 * an error instead.
 */
export async function countRows(
  client: pg.Client,
  { schema, table, condition }: StoredTable,
): Promise<number> {
  const { rows } = await client.query<{ rows: number | string }>(
    `select count(*) as rows from only ${qualifiedName(schema, table)} ${condition ?? ''}`,
  );
  return Number(rows[0]?.rows ?? 0);
}

/** Opens a read-only transaction that sees one moment; of another connection's snapshot where one is given. */
export async function beginSnapshot(client: pg.Client, snapshot: string | null): Promise<void> {
  await client.query('begin isolation level repeatable read read only');
  // A snapshot's name comes from pg_export_snapshot(), which gives digits and dashes.
  if (snapshot !== null) await client.query(`set transaction snapshot '${snapshot.replaceAll("'", '')}'`);
  await client.query('set local row_security = off');
}

/** Lends the moment of this transaction to other connections, as long as it is open. */
export async function exportSnapshot(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ snapshot: string }>('select pg_export_snapshot() as snapshot');
  return rows[0]?.snapshot ?? '';
}

/** Why a question to the database has no answer. */
export type Unanswered = 'time' | 'rights';

/**
 * Asks within the open transaction, which goes on where there is no answer.
 *
 * @param seconds it may take; null: as long as it takes
 * @returns what `ask` gives, or why it gave nothing
 * @throws what PostgreSQL answers otherwise, raw
 */
export async function askWithin<T extends object>(
  client: pg.Client,
  seconds: number | null,
  ask: () => Promise<T>,
): Promise<T | Unanswered> {
  if (seconds !== null && seconds <= 0) return 'time';
  const limit = seconds === null ? 0 : Math.ceil(seconds * 1000);
  await client.query(`savepoint thaw_ask; set local statement_timeout = ${limit}`);
  try {
    const answer = await ask();
    await client.query('release thaw_ask; set local statement_timeout = 0');
    return answer;
  } catch (error) {
    const why = unansweredBy(error);
    if (why === null) throw error;
    await client.query('rollback to thaw_ask; release thaw_ask; set local statement_timeout = 0');
    return why;
  }
}

function unansweredBy(error: unknown): Unanswered | null {
  if (isSqlState(error, sqlState.queryCanceled)) return 'time';
  return isSqlState(error, sqlState.insufficientPrivilege) ? 'rights' : null;
}

/** Lists extensions with their versions. */
export async function listExtensions(
  client: pg.Client,
): Promise<{ readonly name: string; readonly version: string }[]> {
  const { rows } = await client.query<{ name: string; version: string }>(
    'select extname as name, extversion as version from pg_extension order by extname',
  );
  return rows;
}

/** Lists indexes that are not valid, constraints that are not validated, and views without their rows. */
export async function readFlaws(client: pg.Client): Promise<CatalogFlaw[]> {
  const { rows } = await client.query<CatalogFlaw>(`
    select 'invalid index' as kind, n.nspname as schema, c.relname as name, null as constraint
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_namespace n on n.oid = c.relnamespace
    where not (i.indisvalid and i.indisready) and c.relpersistence <> 't' and ${userSchema}
    union all
    select 'unvalidated constraint', n.nspname, coalesce(c.relname, t.typname), k.conname
    from pg_constraint k
    join pg_namespace n on n.oid = k.connamespace
    left join pg_class c on c.oid = k.conrelid
    left join pg_type t on t.oid = k.contypid
    where not k.convalidated and ${userSchema}
    union all
    select 'unpopulated view', n.nspname, c.relname, null
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'm' and not c.relispopulated and ${userSchema}
    order by 1, 2, 3, 4`);
  return rows;
}

/**
 * Lists the sequences behind integer columns: of identities, and of defaults that do no more than call nextval.
 * A partition shares its root's.
 */
export async function listNumberedColumns(client: pg.Client): Promise<NumberedColumn[]> {
  const { rows } = await client.query<NumberedColumn>(`
    with behind as (
      select d.refobjid as relid, d.refobjsubid as attnum, d.objid as sequence
      from pg_depend d
      where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype = 'i'
        and d.refobjsubid > 0
      union
      select f.adrelid, f.adnum, d.refobjid
      from pg_attrdef f
      join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
      where pg_get_expr(f.adbin, f.adrelid) ~ '^nextval\\(''.*''::regclass\\)(::[a-z ]+)?$'
    )
    select sn.nspname as schema, s.relname as sequence, n.nspname as "tableSchema", c.relname as table,
      a.attname as column, q.seqincrement::text as increment, q.seqmin::text as least, q.seqmax::text as greatest,
      exists (
        select 1 from pg_index i
        where i.indrelid = c.oid and i.indisunique and i.indnkeyatts = 1 and i.indkey[0] = a.attnum
          and i.indpred is null
      ) as "isUnique"
    from behind b
    join pg_class c on c.oid = b.relid and c.relkind in ('r', 'p') and not c.relispartition
    join pg_namespace n on n.oid = c.relnamespace and ${userSchema}
    join pg_attribute a on a.attrelid = b.relid and a.attnum = b.attnum and not a.attisdropped
      and a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
    join pg_class s on s.oid = b.sequence and s.relkind = 'S'
    join pg_namespace sn on sn.oid = s.relnamespace
    join pg_sequence q on q.seqrelid = s.oid
    where c.relpersistence <> 't' and not q.seqcycle
    order by 1, 2, 3, 4, 5`);
  return rows;
}

/** Reads where a sequence is, and how far its column. */
export async function readPosition(client: pg.Client, numbered: NumberedColumn): Promise<SequencePosition> {
  const column = quoteIdentifier(numbered.column);
  const isAscending = BigInt(numbered.increment) > 0n;
  const { rows } = await client.query<SequencePosition>(
    `select s.last_value::text as last, s.is_called as "isCalled",
       (select ${isAscending ? 'max' : 'min'}(${column})::text
        from ${qualifiedName(numbered.tableSchema, numbered.table)}
        where ${column} between $1::bigint and $2::bigint) as furthest
     from ${qualifiedName(numbered.schema, numbered.sequence)} as s`,
    [numbered.least, numbered.greatest],
  );
  return rows[0] ?? { last: '0', isCalled: false, furthest: null };
}
