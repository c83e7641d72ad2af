import type pg from 'pg';
import type { ColumnType } from '../archive/column-type.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { type ConflictKey, chooseConflictKey, type Key, keysSql, type RowKey } from './keys.ts';
import { databaseError, sqlState } from './sqlstate.ts';
import { readTriggers, type Trigger, type TriggerRow, triggersSql } from './triggers.ts';
import {
  baseTypeName,
  innerDomain,
  refusesNull,
  resolveType,
  type TypeGraph,
  type TypeRow,
  typesSql,
} from './types.ts';

/** A column of the target. */
export interface TargetColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** The declared type as SQL, domain and modifier included, such as `numeric(10,2)`. */
  readonly typeName: string;
  /** The same without its domain, at any depth. */
  readonly baseTypeName: string;
  /** The domain that the column's own domain is over: information_schema, and so the archiver, names it as the type. */
  readonly innerDomain: string | null;
  /** NULL is refused, by the column or by its domain. */
  readonly notNull: boolean;
  /** Has a value when a row does not name it: a default of the column or its domain, or an identity. */
  readonly hasDefault: boolean;
  /** Computed from other columns; cannot be written. */
  readonly generated: 'stored' | 'virtual' | null;
  /** `always` is written by COPY as it is, but by `insert` only with `overriding system value`. */
  readonly identity: 'always' | 'by default' | null;
}

/** A foreign key of the target to itself. */
export interface SelfReference {
  readonly name: string;
  readonly deferrable: boolean;
}

/** A rewrite rule of the target; COPY passes over it, and `on conflict` is refused beside it. */
export interface Rule {
  readonly name: string;
  readonly event: 'insert' | 'update';
}

/** What must be known of a table before rows are written into it. */
export interface TargetTable {
  readonly oid: number;
  /** The root of the partition tree for a partition, else the same as `oid`: what a restore takes. */
  readonly rootOid: number;
  readonly schema: string;
  readonly table: string;
  readonly kind: 'table' | 'partitioned table' | 'view';
  /** In the order of the table. */
  readonly columns: readonly TargetColumn[];
  /** Unique and exclusion indexes of the table itself. */
  readonly keys: readonly Key[];
  readonly conflictKey: ConflictKey | null;
  /** Tells rows apart by comparing them under a lock, as no index does it; null unless a request wants it so. */
  readonly comparedKey: RowKey | null;
  /** Anything that makes the order of commits matter: a unique or exclusion index, here or in a partition; assumed for views and rules. */
  readonly hasUnique: boolean;
  /** Row-level security that applies to the current user. */
  readonly hasRowSecurity: boolean;
  /** Triggers on insert or update, of partitions too. */
  readonly triggers: readonly Trigger[];
  /** They do not fire for what is restored; false unless a request wants it so. */
  readonly triggersDisabled: boolean;
  readonly selfReferences: readonly SelfReference[];
  readonly rules: readonly Rule[];
  /** Why COPY straight into the target is not possible or would not count right; null where it is fine. */
  readonly stagedOnly: { readonly reason: string } | null;
  /** What the current user may do besides inserting. */
  readonly may: { readonly select: boolean; readonly update: boolean; readonly alter: boolean };
  /** What the user should know of the target. */
  readonly notices: readonly string[];
}

/** Tables whose catalog one query reads: so few that it stays short, so many that planning it weighs little. */
const catalogBatch = 500;

/**
 * Reads everything about a target in one query.
 *
 * @throws ThawError `TargetMissing`; `SchemaIncompatible` for what rows cannot be restored into;
 * `PermissionDenied` with the grant that is missing.
 */
export async function readTarget(client: pg.Client, schema: string, table: string): Promise<TargetTable> {
  const [target] = await readBatch(client, schema, [table]);
  if (target === undefined) throw new TypeError('One name has one table.');
  return target;
}

/**
 * Like {@link readTarget} of many tables of a schema, by few queries: to plan one takes longer than to run it.
 *
 * @returns them in the order of their names given
 * @throws ThawError as {@link readTarget} does, for the first that is no target
 */
export async function readTargets(
  client: pg.Client,
  schema: string,
  tables: readonly string[],
): Promise<TargetTable[]> {
  const targets: TargetTable[] = [];
  for (let from = 0; from < tables.length; from += catalogBatch) {
    targets.push(...(await readBatch(client, schema, tables.slice(from, from + catalogBatch))));
  }
  return targets;
}

async function readBatch(
  client: pg.Client,
  schema: string,
  tables: readonly string[],
): Promise<TargetTable[]> {
  let object = tables.length === 1 ? `${schema}.${tables[0]}` : schema;
  try {
    const { rows } = await client.query<CatalogRow>(catalogSql, [schema, tables]);
    const byName = new Map(rows.map((row) => [row.name, row]));
    const targets: TargetTable[] = [];
    for (const table of tables) {
      object = `${schema}.${table}`;
      const row = byName.get(table);
      if (row === undefined) throw await missing(client, schema, table);
      checkRelation(row, object);
      targets.push(describe(row, schema, table));
    }
    return targets;
  } catch (error) {
    throw databaseError(error, { object });
  }
}

/** The answer of {@link catalogSql}. */
interface CatalogRow {
  readonly name: string;
  readonly oid: number;
  readonly root_oid: number;
  readonly kind: string;
  readonly unlogged: boolean;
  readonly foreign_parts: boolean;
  readonly inherited: boolean;
  readonly user: string;
  readonly insertable_view: boolean;
  readonly has_unique: boolean;
  readonly row_security: boolean;
  readonly may_use: boolean;
  readonly may_insert: boolean;
  readonly may_select: boolean;
  readonly may_update: boolean;
  readonly may_alter: boolean;
  readonly columns: readonly ColumnRow[] | null;
  readonly types: readonly TypeRow[] | null;
  readonly keys: readonly Key[] | null;
  readonly triggers: readonly TriggerRow[] | null;
  readonly rules: readonly Rule[] | null;
  readonly self_references: readonly SelfReference[] | null;
}

interface ColumnRow extends Omit<TargetColumn, 'type' | 'baseTypeName' | 'innerDomain'> {
  readonly type: number;
}

/** Tables share most of their types, which are read once for all. */
const catalogSql = `
  with target as materialized (
    select c.oid, c.relname, coalesce(pg_partition_root(c.oid)::oid, c.oid) as root_oid,
      c.relkind, c.relnamespace
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = any($2::name[])
  ), types as materialized (${typesSql})
  select wanted.name, (select * from types) as types, found.*
  from unnest($2::text[]) as wanted (name)
  join target as one on one.relname = wanted.name::name
  cross join lateral (
  with target as materialized (
    select one.oid, one.root_oid, one.relkind, one.relnamespace
  ), tree as materialized (
    select part.* from (
      select oid from target
      union
      select branch.relid::oid from target, pg_partition_tree(target.oid) as branch
    ) as node
    -- by index for each: the planner, who expects many partitions, would read all of pg_class
    cross join lateral (
      select c.oid, c.relpersistence, c.relkind, c.relowner from pg_class c where c.oid = node.oid offset 0
    ) as part
  )
  select
    oid, root_oid, relkind as kind, current_user as user,
    exists (select from tree where tree.relpersistence = 'u') as unlogged,
    exists (select from tree where tree.relkind = 'f') as foreign_parts,
    relkind = 'r' and exists (select from pg_inherits where inhparent = target.oid) as inherited,
    -- 8 is the bit of insert, triggers counted
    relkind = 'v' and pg_relation_is_updatable(oid, true) & 8 <> 0 as insertable_view,
    exists (
      select from tree join pg_index i on i.indrelid = tree.oid and (i.indisunique or i.indisexclusion)
    ) as has_unique,
    row_security_active(oid) as row_security,
    has_schema_privilege(relnamespace, 'usage') as may_use,
    has_any_column_privilege(oid, 'insert') as may_insert,
    has_any_column_privilege(oid, 'select') as may_select,
    has_any_column_privilege(oid, 'update') as may_update,
    (select bool_and(pg_has_role(tree.relowner, 'usage')) from tree) as may_alter,
    (
      select json_agg(json_build_object(
        'name', a.attname,
        'type', a.atttypid::int8,
        'typeName', format_type(a.atttypid, a.atttypmod),
        'notNull', a.attnotnull,
        'hasDefault', (a.atthasdef and a.attgenerated = '') or a.attidentity <> '' or t.typdefault is not null,
        'generated', case a.attgenerated when 's' then 'stored' when 'v' then 'virtual' end,
        'identity', case a.attidentity when 'a' then 'always' when 'd' then 'by default' end
      ) order by a.attnum)
      from pg_attribute a join pg_type t on t.oid = a.atttypid
      where a.attrelid = target.oid and a.attnum > 0 and not a.attisdropped
    ) as columns,
    (${keysSql}) as keys,
    (${triggersSql}) as triggers,
    (
      select json_agg(json_build_object(
        'name', r.rulename, 'event', case r.ev_type when '3' then 'insert' else 'update' end
      ) order by r.rulename)
      from pg_rewrite r
      where r.ev_class = target.oid and r.ev_type in ('2', '3') and r.ev_enabled in ('O', 'A')
    ) as rules,
    (
      select json_agg(json_build_object('name', k.conname, 'deferrable', k.condeferrable) order by k.conname)
      from pg_constraint k
      where k.contype = 'f' and k.conrelid = target.oid
        and coalesce(pg_partition_root(k.confrelid)::oid, k.confrelid) = target.root_oid
    ) as self_references
  from target
  ) as found`;

/** Kinds of relations that rows can be restored into, by `pg_class.relkind`. */
const kinds: Readonly<Record<string, TargetTable['kind']>> = {
  r: 'table',
  p: 'partitioned table',
  v: 'view',
};

/** What else a name may stand for, and why it cannot be a target. */
const unfitKinds: Readonly<Record<string, string>> = {
  f: 'a foreign table, which does not commit together with the ledger',
  m: 'a materialized view',
  S: 'a sequence',
  c: 'a composite type',
  i: 'an index',
  I: 'an index',
};

function checkRelation(row: CatalogRow, object: string): void {
  if (kinds[row.kind] === undefined || (row.kind === 'v' && !row.insertable_view)) {
    const what = unfitKinds[row.kind] ?? (row.kind === 'v' ? 'a view that takes no rows' : 'not a table');
    throw new ThawError('SchemaIncompatible', `${object}: it is ${what}`, {
      object,
      hint: 'Name a table with --schema and --into-table.',
    });
  }
}

function describe(row: CatalogRow, schema: string, table: string): TargetTable {
  const kind = kinds[row.kind] ?? 'table';
  checkRights(row, schema, table);
  const columns = describeColumns(row);
  const keys = row.keys ?? [];
  const rules = row.rules ?? [];
  const triggers = readTriggers(row.triggers ?? []);
  const notNull = new Set(columns.filter((column) => column.notNull).map((column) => column.name));
  return {
    oid: row.oid,
    rootOid: row.root_oid,
    schema,
    table,
    kind,
    columns,
    keys,
    conflictKey: chooseConflictKey(keys, notNull),
    comparedKey: null,
    hasUnique: row.has_unique || kind === 'view' || rules.length > 0,
    hasRowSecurity: row.row_security,
    triggers,
    triggersDisabled: false,
    selfReferences: row.self_references ?? [],
    rules,
    stagedOnly: reasonToStage(kind, row.row_security, triggers, rules),
    may: { select: row.may_select, update: row.may_update, alter: row.may_alter },
    notices: describeRisks(row, `${schema}.${table}`),
  };
}

/** Where rows and ledger may part. */
function describeRisks(row: CatalogRow, object: string): string[] {
  const notices: string[] = [];
  if (row.unlogged)
    notices.push(`${object} is unlogged: a crash of PostgreSQL empties it, but not the ledger.`);
  if (row.foreign_parts) {
    notices.push(`${object} has foreign partitions: rows in them do not commit together with the ledger.`);
  }
  if (row.inherited) {
    notices.push(
      `${object} has inheriting tables: rows go into the table itself, and only its own count as being there.`,
    );
  }
  return notices;
}

function describeColumns(row: CatalogRow): TargetColumn[] {
  const graph: TypeGraph = new Map((row.types ?? []).map((type) => [type.oid, type]));
  return (row.columns ?? []).map((column) => ({
    ...column,
    type: resolveType(graph, column.type),
    baseTypeName: baseTypeName(graph, column.type) ?? column.typeName,
    innerDomain: innerDomain(graph, column.type),
    notNull: column.notNull || refusesNull(graph, column.type),
  }));
}

function reasonToStage(
  kind: TargetTable['kind'],
  hasRowSecurity: boolean,
  triggers: readonly Trigger[],
  rules: readonly Rule[],
): { reason: string } | null {
  if (kind === 'view') return { reason: 'it is a view' };
  if (hasRowSecurity) return { reason: 'row-level security applies' };
  const rule = rules.find(({ event }) => event === 'insert');
  if (rule) return { reason: `rule ${rule.name} rewrites inserts` };
  const trigger = triggers.find(
    ({ events, enabled, maySwallow }) => enabled && maySwallow && events.includes('insert'),
  );
  return trigger ? { reason: `trigger ${trigger.name} may leave rows out` } : null;
}

function checkRights(row: CatalogRow, schema: string, table: string): void {
  const user = quoteIdentifier(row.user);
  const grant = !row.may_use
    ? `grant usage on schema ${quoteIdentifier(schema)} to ${user}`
    : !row.may_insert
      ? `grant select, insert, update on ${qualifiedName(schema, table)} to ${user}`
      : undefined;
  if (grant === undefined) return;
  throw new ThawError('PermissionDenied', `${schema}.${table}: user ${row.user} may not insert into it`, {
    object: `${schema}.${table}`,
    sqlstate: sqlState.insufficientPrivilege,
    hint: `As the owner, run: ${grant}`,
  });
}

/** Says where a table of that name is, in other letters or another schema. */
async function missing(client: pg.Client, schema: string, table: string): Promise<ThawError> {
  const { rows } = await client.query<{ name: string }>(
    `select n.nspname || '.' || c.relname as name
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where lower(c.relname) = lower($1) and c.relkind in ('r', 'p', 'v')
       and has_schema_privilege(n.oid, 'usage')
     order by 1 limit 5`,
    [table],
  );
  const near = rows.map(({ name }) => name).join(', ');
  return new ThawError('TargetMissing', `${schema}.${table}: there is no such table`, {
    object: `${schema}.${table}`,
    hint:
      near === ''
        ? undefined
        : `There is ${near}: name it with --schema and --into-table, or create the table (--create-table).`,
  });
}
