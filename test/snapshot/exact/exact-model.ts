import type pg from 'pg';
import { qualifiedName, quoteLiteral } from '../../../src/postgres/identifier.ts';
import type { ExactRestore } from './exact-site.ts';
import { keyColumns, keysSql, type RandomSchema, tablesSql, writtenColumns } from './random-schema.ts';

/** Copies the rows of the tables into a schema of tables without anything that could change them. */
export async function copyRows(
  client: pg.Client,
  from: string,
  to: string,
  random: RandomSchema,
): Promise<void> {
  const copies = random.tables.map(
    ({ name }) => `create table ${qualifiedName(to, name)} as select * from ${qualifiedName(from, name)}`,
  );
  await client.query(`drop schema if exists ${to} cascade; create schema ${to}; ${copies.join(';')}`);
}

/**
 * Makes the tables of the schema `expected` as a restore is to leave those of `now`, whose snapshot is `before`.
 *
 * @returns whether such tables can be: where rows of tables or tenants that are not restored would break a key, no
 */
export async function makeExpected(
  client: pg.Client,
  random: RandomSchema,
  restore: ExactRestore,
): Promise<boolean> {
  await client.query(
    `drop schema if exists expected cascade; create schema expected; ${tablesSql('expected', random)}`,
  );
  try {
    for (const [place, table] of random.tables.entries()) {
      const columns = writtenColumns(random, place).map(([column]) => column);
      const rows = table.isIn
        ? wantedRows(table.name, keyColumns(table), restore)
        : `select * from ${qualifiedName('now', table.name)}`;
      await client.query(
        `insert into ${qualifiedName('expected', table.name)} (${columns.join(', ')}) overriding system value
         select ${columns.join(', ')} from (${rows}) as wanted`,
      );
    }
    await client.query(keysSql('expected', random, true));
    return true;
  } catch (error) {
    if ((error as pg.DatabaseError).code?.startsWith('23')) return false;
    throw error;
  }
}

function wantedRows(name: string, key: readonly string[], { tenant, newerBy }: ExactRestore): string {
  const [now, before] = [qualifiedName('now', name), qualifiedName('before', name)];
  const isOf = (row: string) =>
    tenant === null
      ? 'true'
      : `rtrim(${row}.${tenant.column}::text) is not distinct from ${quoteLiteral(tenant.value)}`;
  const others = `select now.* from ${now} as now where not (${isOf('now')})`;
  if (newerBy === null)
    return `${others} union all select before.* from ${before} as before where ${isOf('before')}`;
  const same = key.map((column) => `now.${column} = before.${column}`).join(' and ');
  const newer = `before.${newerBy} > now.${newerBy}`;
  return `${others}
    union all select now.* from ${now} as now where ${isOf('now')} and not exists (
      select from ${before} as before where ${isOf('before')} and ${same} and ${newer})
    union all select before.* from ${before} as before where ${isOf('before')} and not exists (
      select from ${now} as now where ${isOf('now')} and ${same} and (${newer}) is not true)`;
}

/** All rows of the tables of a schema as PostgreSQL's text, in an order of their own. */
export async function contentOf(client: pg.Client, schema: string, random: RandomSchema): Promise<unknown> {
  const tables: Record<string, readonly string[]> = {};
  for (const [place, { name }] of random.tables.entries()) {
    const columns = [...writtenColumns(random, place).map(([column]) => column), 'twice'];
    const { rows } = await client.query<{ row: string }>(
      `select row(${columns.join(', ')})::text as row from ${qualifiedName(schema, name)} order by 1`,
    );
    tables[name] = rows.map(({ row }) => row);
  }
  return tables;
}

/** Everything that stands around the rows of a schema, and has to be as it was: constraints, triggers, indexes. */
export async function surroundings(client: pg.Client, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ fact: string }>(
    `select to_json(k)::text as fact from (
       select conrelid::regclass as "table",
         -- PostgreSQL chooses the names of copies for partitions of the table that is referred to
         case when exists (select from pg_constraint up where up.oid = c.conparentid and up.confrelid <> c.confrelid)
           then null else conname end as name,
         contype, condeferrable, condeferred, convalidated, conislocal, coninhcount, confmatchtype, confupdtype,
         confdeltype, confrelid::regclass, pg_get_constraintdef(oid), obj_description(oid, 'pg_constraint'),
         (select up.conname from pg_constraint up where up.oid = c.conparentid) as above
       from pg_constraint c where connamespace = $1::text::regnamespace
     ) as k
     union all
     select to_json(g)::text from (
       select tgrelid::regclass as "table", case when tgisinternal then null else tgname end as name,
         tgfoid::regproc, tgtype, tgenabled, tgisinternal, tgdeferrable, tginitdeferred, tgconstrrelid::regclass,
         (select k.contype from pg_constraint k where k.oid = tgconstraint) as of
       from pg_trigger t join pg_class c on c.oid = tgrelid where c.relnamespace = $1::text::regnamespace
     ) as g
     union all
     select to_json(i)::text from (select * from pg_indexes where schemaname = $1::text) as i
     order by 1`,
    [schema],
  );
  return rows.map(({ fact }) => fact);
}
