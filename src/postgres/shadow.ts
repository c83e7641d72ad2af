import type pg from 'pg';
import type { TargetColumn, TargetTable } from './catalog.ts';
import { qualifiedName, quoteIdentifier, quoteLiteral } from './identifier.ts';

/**
 * A temporary table that takes rows as a target would: the same columns, defaults, checks and keys, and none of
 * its triggers, rules and foreign keys. It ends with the session, and whatever is done to it leaves the target
 * alone; its sequences are copies too.
 */
export interface Shadow {
  /** The shadow in the words of its target, for the merge. */
  readonly target: TargetTable;
  /** Quoted name. */
  readonly table: string;
  readonly keys: readonly ShadowKey[];
  /** Quoted name of the table of the rows of the target that were brought, by `tableoid` and `ctid`. */
  readonly places: string;
  /** What its constraints are called in the target, by their names here; empty for what has no name there. */
  readonly names: ReadonlyMap<string, string>;
}

/** A part of a key: an operator says which rows have the same. */
export interface KeyPart {
  /** Column or expression, quoted. */
  readonly sql: string;
  /** `operator(schema.=)`, or what an exclusion constraint goes by. */
  readonly operator: string;
  /** Columns that it takes. */
  readonly columns: readonly string[];
}

/** A unique or exclusion index of a target, or what a request names as its key, by what PostgreSQL compares. */
export interface ShadowKey {
  /** Of the index in the target, or the columns. */
  readonly name: string;
  readonly parts: readonly KeyPart[];
  /** The condition of a partial index as SQL. */
  readonly predicate: string | null;
  readonly nullsNotDistinct: boolean;
}

/**
 * Makes the shadow of a table, empty. Takes no lock on the target but that of reading it.
 *
 * @param client whose session it ends with; in a transaction
 * @param place tells the shadows of a session apart
 */
export async function createShadow(client: pg.Client, target: TargetTable, place: number): Promise<Shadow> {
  const name = `thaw_shadow_${place}`;
  const table = `pg_temp.${name}`;
  // A table of its own: beside as many columns as a table can have, there is no room.
  const places = `${table}_places`;
  await client.query(
    `create temp table ${name} (
       like ${qualifiedName(target.schema, target.table)} including defaults including generated including identity);
     create temp table ${name}_places (part oid, place tid, primary key (part, place))`,
  );
  const { rows } = await client.query<ConstraintRow>(constraintsSql, [target.oid]);
  const names = new Map<string, string>();
  for (const [index, row] of rows.entries()) {
    const own = `thaw_rule_${place}_${index}`;
    names.set(own, row.name);
    await client.query(constraintStatement(table, own, row));
  }
  await copySequences(client, target, name);
  const keys = rows.flatMap(({ parts, name: key, predicate, nulls_not_distinct: nullsNotDistinct }) =>
    parts === null ? [] : [{ name: key, parts, predicate, nullsNotDistinct }],
  );
  keys.push(...comparedKey(target));
  return { target: shadowTarget(target, name, names), table, keys, places, names };
}

/** What tells rows apart without an index. */
function comparedKey({ comparedKey: key }: TargetTable): ShadowKey[] {
  if (key === null) return [];
  const parts = key.columns.map((column) => {
    return { sql: quoteIdentifier(column), operator: '=', columns: [column] };
  });
  return [{ name: key.columns.join(', '), parts, predicate: null, nullsNotDistinct: key.nullsNotDistinct }];
}

/** Of the target, what the merge may meet in its shadow. */
function shadowTarget(target: TargetTable, table: string, names: ReadonlyMap<string, string>): TargetTable {
  const own = new Map([...names].map(([shadow, name]) => [name, shadow]));
  return {
    ...target,
    schema: 'pg_temp',
    table,
    kind: 'table',
    keys: target.keys.map((key) => ({ ...key, name: own.get(key.name) ?? key.name })),
    hasRowSecurity: false,
    triggers: [],
    triggersDisabled: false,
    selfReferences: [],
  };
}

/** A key or check of the target. */
interface ConstraintRow {
  readonly name: string;
  /** As `add constraint` takes it; null for an index without a constraint. */
  readonly constraint: string | null;
  /** What follows the table in `create unique index`; null for a constraint. */
  readonly index: string | null;
  /** The condition of a check; null for a key. */
  readonly check: string | null;
  /** Rows of the target may break it: it was added `not valid`. */
  readonly late: boolean;
  readonly parts: readonly KeyPart[] | null;
  readonly predicate: string | null;
  readonly nulls_not_distinct: boolean;
}

/** Whether rows of the target are being brought into its shadow, in this transaction. */
const isBringing = `coalesce(current_setting('thaw.bringing', true), '') = 'on'`;

/** Lets rows of the target into shadows, whichever checks that were added `not valid` they break; or no longer. */
export async function setBringing(client: pg.Client, on: boolean): Promise<void> {
  await client.query(`select set_config('thaw.bringing', $1, true)`, [on ? 'on' : '']);
}

function constraintStatement(table: string, name: string, row: ConstraintRow): string {
  const own = quoteIdentifier(name);
  if (row.index !== null) return `create unique index ${own} on ${table} ${row.index}`;
  const check = row.late ? `${isBringing} or (${row.check})` : row.check;
  return `alter table ${table} add constraint ${own} ${row.check === null ? row.constraint : `check (${check})`}`;
}

/**
 * Keys and checks of the table $1. A partitioned table takes a row where one of its partitions does, which is
 * a check of its shadow.
 */
const constraintsSql = `
  with own_key as (
    select i.*, c.relname as name, n.nspname, t.relname as table_name, k.oid as constraint_oid, k.conexclop
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_class t on t.oid = i.indrelid
    join pg_namespace n on n.oid = t.relnamespace
    left join pg_constraint k on k.conindid = i.indexrelid and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x')
    where i.indrelid = $1 and (i.indisunique or i.indisexclusion)
  ), own_check as (
    select k.conname as name, pg_get_expr(k.conbin, k.conrelid) as expression, not k.convalidated as late
    from pg_constraint k
    where k.conrelid = $1 and k.contype = 'c'
    union all
    select '', string_agg(coalesce(pg_get_partition_constraintdef(leaf.relid), 'true'), ' or '), false
    from pg_class t, pg_partition_tree(t.oid) as leaf
    where t.oid = $1 and (t.relkind = 'p' or t.relispartition) and leaf.isleaf
  )
  select name,
    pg_get_constraintdef(constraint_oid) as constraint,
    case when constraint_oid is null then
      -- behind the names, in which anything may stand
      substring(substr(
        pg_get_indexdef(indexrelid),
        length('create unique index ' || quote_ident(name) || ' on ' || quote_ident(nspname) || '.' || quote_ident(table_name))
      ) from ' USING .*$')
    end as index,
    null as check, false as late,
    (
      select json_agg(json_build_object(
        'sql', pg_get_indexdef(indexrelid, place, false),
        'operator', format('operator(%I.%s)', o.nspname, o.oprname),
        'columns', case when indkey[place - 1] = 0 then (
            select json_agg(distinct a.attname)
            from pg_depend d join pg_attribute a on a.attrelid = indrelid and a.attnum = d.refobjsubid
            where d.classid = 'pg_class'::regclass and d.objid = indexrelid
              and d.refclassid = 'pg_class'::regclass and d.refobjid = indrelid and d.refobjsubid > 0)
          else (
            select json_agg(a.attname) from pg_attribute a where a.attrelid = indrelid and a.attnum = indkey[place - 1])
          end
      ) order by place)
      from generate_series(1, indnkeyatts) as place
      join pg_opclass oc on oc.oid = indclass[place - 1]
      -- equality of a btree, where no exclusion constraint says otherwise
      join lateral (
        select ns.nspname, op.oprname
        from pg_operator op join pg_namespace ns on ns.oid = op.oprnamespace
        where op.oid = coalesce(conexclop[place], (
          select am.amopopr from pg_amop am
          where am.amopfamily = oc.opcfamily and am.amopstrategy = 3
            and am.amoplefttype = oc.opcintype and am.amoprighttype = oc.opcintype))
      ) as o on true
    ) as parts,
    pg_get_expr(indpred, indrelid) as predicate,
    coalesce((select (to_jsonb(x) ->> 'indnullsnotdistinct')::boolean from pg_index x where x.indexrelid = own_key.indexrelid), false)
      as nulls_not_distinct
  from own_key
  union all
  select name, null, null, coalesce(expression, 'false'), late, null, null, false
  from own_check
  where name <> '' or expression is not null or exists (select from pg_class where oid = $1 and relkind = 'p')`;

/** A sequence behind a default of the target. */
interface SequenceRow {
  readonly column: string;
  readonly identity: boolean;
  readonly increment: string;
  readonly least: string;
  readonly greatest: string;
  readonly start: string;
  readonly cycles: boolean;
  /** Null: no value was taken yet, or it is not to be seen. */
  readonly last: string | null;
}

/** Gives the shadow sequences of its own, which go on where those of the target are. */
async function copySequences(client: pg.Client, target: TargetTable, name: string): Promise<void> {
  const { rows } = await client.query<SequenceRow>(sequencesSql, [target.oid]);
  for (const [index, row] of rows.entries()) {
    const column = quoteIdentifier(row.column);
    const own = `${name}_sequence_${index}`;
    if (!row.identity) {
      await client.query(
        `create temp sequence ${own} increment by ${row.increment} minvalue ${row.least} maxvalue ${row.greatest}
           start with ${row.start} ${row.cycles ? 'cycle' : 'no cycle'};
         alter table pg_temp.${name} alter column ${column} set default nextval('pg_temp.${own}')`,
      );
    }
    if (row.last === null) continue;
    const sequence = row.identity
      ? `pg_get_serial_sequence('pg_temp.${name}', ${quoteLiteral(row.column)})`
      : quoteLiteral(`pg_temp.${own}`);
    await client.query(`select setval(${sequence}::regclass, $1)`, [row.last]);
  }
}

const sequencesSql = `
  with behind as (
    select a.attname, true as identity, d.objid as oid
    from pg_attribute a
    join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = a.attrelid
      and d.refobjsubid = a.attnum and d.classid = 'pg_class'::regclass and d.deptype = 'i'
    where a.attrelid = $1 and a.attidentity <> ''
    union
    select a.attname, false, d.refobjid
    from pg_attrdef f
    join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum and a.attgenerated = ''
    join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
    where f.adrelid = $1 and pg_get_expr(f.adbin, f.adrelid) ~ '^nextval\\(''.*''::regclass\\)(::[a-z ]+)?$'
  )
  select b.attname as column, b.identity, s.seqincrement::text as increment, s.seqmin::text as least,
    s.seqmax::text as greatest, s.seqstart::text as start, s.seqcycle as cycles,
    case when has_sequence_privilege(c.oid, 'select, usage') then pg_sequence_last_value(c.oid)::text end as last
  from behind b
  join pg_class c on c.oid = b.oid and c.relkind = 'S'
  join pg_sequence s on s.seqrelid = c.oid
  order by b.attname`;

/** The columns of a target that a row of it is copied by: what is computed, PostgreSQL computes again. */
export function copiedColumns({ columns }: TargetTable): TargetColumn[] {
  return columns.filter(({ generated }) => generated === null);
}
