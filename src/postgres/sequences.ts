import type pg from 'pg';
import type { TargetTable } from './catalog.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { databaseError } from './sqlstate.ts';

/** A sequence that gives a column its next value. */
interface ColumnSequence {
  readonly column: string;
  readonly schema: string;
  readonly name: string;
  readonly ascending: boolean;
  /** Bounds as text: they go to 2^63. */
  readonly least: string;
  readonly greatest: string;
  readonly may_advance: boolean;
}

/**
 * Moves the sequences behind the target's columns (identity, serial, plain `nextval` defaults) as far
 * as the rows that are there, so that the next insert does not collide; a sequence is never moved
 * back, and an empty table moves none. Call it outside a transaction, after the last commit.
 *
 * @returns What could not be moved, and why, for the user.
 */
export async function advanceSequences(client: pg.Client, target: TargetTable): Promise<string[]> {
  const integers = target.columns.filter(isNumber).map(({ name }) => name);
  const object = `${target.schema}.${target.table}`;
  try {
    const { rows } = await client.query<ColumnSequence>(sequencesSql, [target.oid, target.rootOid, integers]);
    const notices: string[] = [];
    for (const sequence of rows) {
      const notice = await advance(client, target, sequence);
      if (notice !== null) notices.push(notice);
    }
    return notices;
  } catch (error) {
    throw databaseError(error, { object });
  }
}

function isNumber({ type }: TargetTable['columns'][number]): boolean {
  return type.kind === 'scalar' && ['int2', 'int4', 'int8', 'numeric'].includes(type.name);
}

/**
 * Before PostgreSQL 17 a partition has no identity of its own, later it shares that of the root: both
 * are asked. A default that does more than call nextval tells nothing about the sequence from its values.
 */
const sequencesSql = `
  with behind as (
    select a.attname, d.objid as sequence_oid
    from pg_attribute a
    join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = a.attrelid
      and d.refobjsubid = a.attnum and d.classid = 'pg_class'::regclass and d.deptype = 'i'
    where a.attrelid in ($1::oid, $2::oid) and a.attidentity <> ''
    union
    select a.attname, d.refobjid
    from pg_attrdef f
    join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum and a.attgenerated = ''
    join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
    where f.adrelid in ($1::oid, $2::oid)
      and pg_get_expr(f.adbin, f.adrelid) ~ '^nextval\\(''.*''::regclass\\)(::[a-z ]+)?$'
  )
  select b.attname as column, n.nspname as schema, c.relname as name,
    s.seqincrement > 0 as ascending, s.seqmin::text as least, s.seqmax::text as greatest,
    has_schema_privilege(n.oid, 'usage')
      and has_sequence_privilege(c.oid, 'update') and has_sequence_privilege(c.oid, 'select')
      and has_column_privilege($1::oid, b.attname, 'select') as may_advance
  from behind b
  join pg_class c on c.oid = b.sequence_oid and c.relkind = 'S'
  join pg_namespace n on n.oid = c.relnamespace
  join pg_sequence s on s.seqrelid = c.oid
  where b.attname = any ($3::name[])
  order by b.attname, n.nspname, c.relname`;

/** Gives the notice of what could not be done, or null. */
async function advance(
  client: pg.Client,
  target: TargetTable,
  sequence: ColumnSequence,
): Promise<string | null> {
  const table = qualifiedName(target.schema, target.table);
  const name = qualifiedName(sequence.schema, sequence.name);
  if (!sequence.may_advance) {
    return `Sequence ${name} was not moved for lack of rights; run: grant select, update on sequence ${name} to the user of Thaw, or set it to follow ${table}.`;
  }
  const reached = await furthest(client, table, sequence);
  if (reached === null) return null;
  if (reached > BigInt(sequence.greatest) || reached < BigInt(sequence.least)) {
    // Its side of the bounds is its affair: rows below the start of an ascending one do not concern it.
    const beyond = sequence.ascending
      ? reached > BigInt(sequence.greatest)
      : reached < BigInt(sequence.least);
    return beyond
      ? `Sequence ${name} was not moved: column ${sequence.column} has values beyond its bounds.`
      : null;
  }
  // Read and moved in one statement: nextval takes no lock that could be waited for.
  await client.query(
    `select setval($1::regclass, $2)
     from ${name}
     where last_value ${sequence.ascending ? '<' : '>'} $2 or (last_value = $2 and not is_called)`,
    [name, reached.toString()],
  );
  return null;
}

/** The value of the column that the sequence must be past; null where there is none. */
async function furthest(
  client: pg.Client,
  table: string,
  { column, ascending }: ColumnSequence,
): Promise<bigint | null> {
  const name = quoteIdentifier(column);
  // numeric may hold what no sequence gives: fractions, NaN, infinity
  const { rows } = await client.query<{ value: string | null }>(
    `select trunc(${ascending ? 'max' : 'min'}(${name})::numeric)::text as value
     from ${table}
     where ${name} between -9223372036854775808 and 9223372036854775807`,
  );
  const value = rows[0]?.value ?? null;
  return value === null ? null : BigInt(value);
}
