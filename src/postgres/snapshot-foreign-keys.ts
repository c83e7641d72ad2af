import type pg from 'pg';
import type { TableName } from './foreign-keys.ts';

/** A table, found. */
export interface FoundTable extends TableName {
  readonly oid: number;
}

/** What a key does to rows that refer to one that is deleted, or whose key changes: `pg_constraint.confdeltype`. */
export type KeyAction = 'no action' | 'restrict' | 'cascade' | 'set null' | 'set default';

/** A foreign key that refers to a table of some, or is one of theirs. */
export interface TouchingKey {
  readonly oid: number;
  readonly name: string;
  /** The table that it is declared on; its root, where it is one of a partitioned table. */
  readonly child: FoundTable;
  /** The table that it refers to. */
  readonly parent: FoundTable;
  readonly deferrable: boolean;
  readonly initiallyDeferred: boolean;
  /** False: `not valid`, rows that were there before it were never looked at. */
  readonly validated: boolean;
  readonly onDelete: KeyAction;
  readonly onUpdate: KeyAction;
  /** Rows that refer to a given one are found by an index. */
  readonly indexed: boolean;
  /** This user could drop it, and add it again just as it is. */
  readonly replaceable: boolean;
  /** By oid, which tables it stands between: itself, and its copies for partitions on either side. */
  readonly links: readonly KeyLink[];
}

/** One of the tables between which a key stands, and the other. */
export interface KeyLink {
  readonly child: number;
  readonly parent: number;
}

/** Finds tables by name, in the order of the names; such as are not there are left out. */
export async function findTables(client: pg.Client, names: readonly TableName[]): Promise<FoundTable[]> {
  const { rows } = await client.query<FoundTable>(
    `select c.oid, n.nspname as schema, c.relname as table
     from unnest($1::text[], $2::text[]) with ordinality as name (schema, "table", place)
     join pg_namespace n on n.nspname = name.schema
     join pg_class c on c.relnamespace = n.oid and c.relname = name.table and c.relkind in ('r', 'p')
     order by name.place`,
    [names.map(({ schema }) => schema), names.map(({ table }) => table)],
  );
  return rows;
}

/** All tables of users, or those of a schema, by name; a partitioned one stands for its partitions. */
export async function listTables(client: pg.Client, schema: string | null): Promise<FoundTable[]> {
  const { rows } = await client.query<FoundTable>(
    `select c.oid, n.nspname as schema, c.relname as table
     from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
       and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'thaw')
       and ($1::text is null or n.nspname = $1)
     order by n.nspname collate "C", c.relname collate "C"`,
    [schema],
  );
  return rows;
}

/** Which of the tables a partition belongs to, by oid; each table belongs to itself. */
export async function readMembers(
  client: pg.Client,
  tables: readonly FoundTable[],
): Promise<Map<number, FoundTable>> {
  const members = new Map(tables.map((table) => [table.oid, table]));
  const { rows } = await client.query<{ readonly table: number; readonly member: number }>(
    `select root.oid as table, tree.relid::oid as member
     from unnest($1::oid[]) as root (oid)
     cross join lateral pg_partition_tree(root.oid::regclass) as tree`,
    [tables.map(({ oid }) => oid)],
  );
  // A partition that is named itself stands for itself.
  for (const { table, member } of rows) {
    const root = members.get(table);
    if (root !== undefined && !members.has(member)) members.set(member, root);
  }
  return members;
}

/** Reads the foreign keys of tables and to tables, those of a table to itself included, by table and name. */
export async function readTouchingKeys(client: pg.Client, oids: readonly number[]): Promise<TouchingKey[]> {
  const { rows } = await client.query<TouchingKey>(touchingKeysSql, [oids]);
  return rows;
}

/**
 * A key of a partitioned table has a copy for each partition, on either side and at every level: `climb` goes from
 * those that touch the tables up to the one that was declared.
 */
const touchingKeysSql = `
  with recursive climb as (
    select k.oid as root, k.conparentid as above, k.conrelid, k.confrelid
    from pg_constraint k
    where k.contype = 'f' and (k.conrelid = any($1::oid[]) or k.confrelid = any($1::oid[]))
    union all
    select up.oid, up.conparentid, climb.conrelid, climb.confrelid
    from climb
    join pg_constraint up on up.oid = climb.above
  ), touching as (
    select root, json_agg(json_build_object('child', conrelid::int8, 'parent', confrelid::int8)) as links
    from climb
    where above = 0
    group by root
  )
  select k.oid, k.conname as name,
    json_build_object('oid', c.oid::int8, 'schema', cn.nspname, 'table', c.relname) as child,
    json_build_object('oid', p.oid::int8, 'schema', pn.nspname, 'table', p.relname) as parent,
    k.condeferrable as deferrable, k.condeferred as "initiallyDeferred", k.convalidated as validated,
    ${actionSql('k.confdeltype')} as "onDelete", ${actionSql('k.confupdtype')} as "onUpdate",
    exists (
      select from pg_index i
      where i.indrelid = k.conrelid and i.indisvalid and i.indpred is null and i.indkey[0] = any (k.conkey)
    ) as indexed,
    k.convalidated and has_table_privilege(p.oid, 'references') and pg_has_role(c.relowner, 'usage')
      and not exists (select from pg_trigger g where g.tgconstraint = k.oid and g.tgenabled <> 'O') as replaceable,
    touching.links
  from touching
  join pg_constraint k on k.oid = touching.root
  join pg_class c on c.oid = k.conrelid
  join pg_namespace cn on cn.oid = c.relnamespace
  join pg_class p on p.oid = k.confrelid
  join pg_namespace pn on pn.oid = p.relnamespace
  order by cn.nspname collate "C", c.relname collate "C", k.conname collate "C"`;

function actionSql(column: string): string {
  return `case ${column} when 'a' then 'no action' when 'r' then 'restrict' when 'c' then 'cascade'
    when 'n' then 'set null' when 'd' then 'set default' end`;
}
