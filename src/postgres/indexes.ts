import type pg from 'pg';
import type { TargetTable } from './catalog.ts';
import { qualifiedName, quoteLiteral } from './identifier.ts';
import { databaseError } from './sqlstate.ts';
import { inTransaction, lockTimeout } from './transaction.ts';

/** What `dropIndexes` did. */
export interface DroppedIndexes {
  /** Names of the indexes that are gone until `rebuildIndexes`. */
  readonly dropped: readonly string[];
  /** What was left alone, and why, for the user. */
  readonly notices: readonly string[];
}

/** An index of the target that is neither unique nor an exclusion. */
interface PlainIndex {
  readonly schema: string;
  readonly name: string;
  readonly definition: string;
  readonly comment: string | null;
  readonly tablespace: string | null;
  /** Why it stays; null where it may go. */
  readonly stays: string | null;
}

/**
 * Drops the plain indexes of the target and records how to build them again in `thaw.dropped_indexes`,
 * in one transaction. Stay: whatever is unique, of a constraint, replica identity, clustered on, part of a
 * partitioned index, or in another way more than its definition says. Call it outside a transaction.
 *
 * @throws ThawError `LockTimeout` when others keep the table busy.
 */
export async function dropIndexes(
  client: pg.Client,
  target: TargetTable,
  restoreId: string,
): Promise<DroppedIndexes> {
  const object = `${target.schema}.${target.table}`;
  if (target.kind !== 'table') {
    return { dropped: [], notices: [`The indexes of ${object} stay: it is a ${target.kind}.`] };
  }
  try {
    return await inTransaction(client, async () => {
      await client.query(`set local lock_timeout = ${quoteLiteral(lockTimeout)}`);
      // Definitions are then written with every schema in them, and so mean the same in any session.
      await client.query(`set local search_path = ''`);
      const indexes = await plainIndexes(client, target.oid);
      const dropped = indexes.filter(({ stays }) => stays === null);
      for (const index of dropped) await dropIndex(client, target.oid, restoreId, index);
      const notices = indexes.flatMap(({ name, stays }) =>
        stays === null ? [] : [`Index ${name} of ${object} stays: ${stays}.`],
      );
      return { dropped: dropped.map(({ name }) => name), notices };
    });
  } catch (error) {
    throw databaseError(error, { object });
  }
}

/** Whether {@link dropIndexes} would drop any. */
export async function hasDroppableIndexes(client: pg.Client, target: TargetTable): Promise<boolean> {
  if (target.kind !== 'table') return false;
  return (await plainIndexes(client, target.oid)).some(({ stays }) => stays === null);
}

/** Bytes that a table takes on disk, long values included, indexes not; 0 where it is empty. */
export async function tableBytes(client: pg.Client, target: TargetTable): Promise<number> {
  // Even an empty table has a page for its long values.
  const { rows } = await client.query<{ bytes: number }>(
    'select case when pg_relation_size($1::oid) = 0 then 0 else pg_table_size($1::oid) end as bytes',
    [target.oid],
  );
  return rows[0]?.bytes ?? 0;
}

/** A table whose statistics are refreshed. */
type AnalyzedTable = Pick<TargetTable, 'schema' | 'table' | 'kind'>;

/** Refreshes the planner's statistics. Never on a still empty target: the plans that follow would be for an empty one. */
export async function analyzeTable(client: pg.Client, target: AnalyzedTable): Promise<string[]> {
  return analyzeTogether(client, [target]);
}

/** Tables that one ANALYZE is about. */
const analyzedTogether = 100;

/** Like {@link analyzeTable} of many tables; gives the notices of those that have some. */
export async function analyzeTables<T extends AnalyzedTable>(
  client: pg.Client,
  targets: readonly T[],
): Promise<ReadonlyMap<T, readonly string[]>> {
  const notices = new Map<T, readonly string[]>();
  for (let from = 0; from < targets.length; from += analyzedTogether) {
    const batch = targets.slice(from, from + analyzedTogether);
    const said = await analyzeTogether(client, batch).catch((error: unknown) => error);
    if (Array.isArray(said) && said.length === 0) continue;
    // Of which table it was said, and which one failed, is known of each by itself only.
    for (const target of batch) {
      const own = await analyzeTable(client, target);
      if (own.length > 0) notices.set(target, own);
    }
  }
  return notices;
}

/** @returns what PostgreSQL has to say */
async function analyzeTogether(client: pg.Client, targets: readonly AnalyzedTable[]): Promise<string[]> {
  const tables = targets.filter(({ kind }) => kind !== 'view');
  if (tables.length === 0) return [];
  const names = tables.map(({ schema, table }) => qualifiedName(schema, table));
  const notices: string[] = [];
  // Without the right, ANALYZE warns and passes over the table.
  const listen = (notice: { message: string | undefined }) => {
    if (notice.message !== undefined) notices.push(`ANALYZE: ${notice.message}`);
  };
  client.on('notice', listen);
  try {
    await client.query(`analyze ${names.join(', ')}`);
    return notices;
  } catch (error) {
    throw databaseError(error, {
      object: tables
        .slice(0, 5)
        .map(({ schema, table }) => `${schema}.${table}`)
        .join(', '),
    });
  } finally {
    client.off('notice', listen);
  }
}

async function plainIndexes(client: pg.Client, targetOid: number): Promise<PlainIndex[]> {
  const { rows } = await client.query<PlainIndex>(
    `select n.nspname as schema, c.relname as name, pg_get_indexdef(c.oid) as definition,
       obj_description(c.oid, 'pg_class') as comment, s.spcname as tablespace,
       case
         when not pg_has_role(t.relowner, 'usage') then 'only the owner of the table may drop it'
         -- an owner needs more rights to make an index than to drop it
         when not has_schema_privilege(t.relnamespace, 'create')
           then 'to build it again takes the right to create in the schema'
         when c.reltablespace <> 0 and not has_tablespace_privilege(c.reltablespace, 'create')
           then 'to build it again takes the right to create in its tablespace'
         when c.relispartition then 'it belongs to a partitioned index'
         when i.indisreplident then 'it is the replica identity'
         when i.indisclustered then 'the table is clustered on it'
         when not i.indisvalid then 'it is not valid'
         when exists (select from pg_attribute a where a.attrelid = c.oid and a.attstattarget >= 0)
           then 'it has statistics targets of its own'
         when exists (
           select from pg_depend d
           where (d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('e', 'x'))
             or (d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid)
         ) then 'other objects are tied to it'
       end as stays
     from pg_index i
     join pg_class c on c.oid = i.indexrelid
     join pg_namespace n on n.oid = c.relnamespace
     join pg_class t on t.oid = i.indrelid
     left join pg_tablespace s on s.oid = c.reltablespace
     where i.indrelid = $1 and not i.indisunique and not i.indisexclusion
     order by c.oid`,
    [targetOid],
  );
  return rows;
}

async function dropIndex(
  client: pg.Client,
  targetOid: number,
  restoreId: string,
  index: PlainIndex,
): Promise<void> {
  await client.query(
    `insert into thaw.dropped_indexes
       (target_oid, schema_name, index_name, definition, comment, tablespace, restore_id)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (target_oid, schema_name, index_name) do update set
       definition = excluded.definition, comment = excluded.comment, tablespace = excluded.tablespace,
       restore_id = excluded.restore_id, dropped_at = now(), rebuilt_at = null`,
    [targetOid, index.schema, index.name, index.definition, index.comment, index.tablespace, restoreId],
  );
  await client.query(`drop index ${qualifiedName(index.schema, index.name)}`);
}
