import type pg from 'pg';
import type { TargetTable } from './catalog.ts';
import { qualifiedName, quoteLiteral } from './identifier.ts';
import { databaseError, isAboutTarget } from './sqlstate.ts';

/** What `dropIndexes` did. */
export interface DroppedIndexes {
  /** Names of the indexes that are gone until {@link rebuildIndexes}. */
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

/** An index to be built again. */
interface DroppedIndex {
  readonly schema_name: string;
  readonly index_name: string;
  readonly definition: string;
  readonly comment: string | null;
  readonly tablespace: string | null;
}

/** How long a lock on the target may be waited for: whoever comes later waits behind us. */
const lockTimeout = '15s';

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

/**
 * Builds the indexes again that are recorded as dropped from a table, each in a transaction of its own;
 * doing it twice, or from two sessions, does it once. Call it outside a transaction.
 *
 * @returns The indexes that could not be built, with the statement that builds them: they stay recorded.
 * @throws ThawError of the retryable kinds.
 */
export async function rebuildIndexes(client: pg.Client, targetOid: number): Promise<string[]> {
  const notices: string[] = [];
  for (const index of await droppedIndexes(client, targetOid)) {
    const notice = await rebuildIndex(client, targetOid, index);
    if (notice !== null) notices.push(notice);
  }
  return notices;
}

/** Refreshes the planner's statistics. Never on a still empty target: the plans that follow would be for an empty one. */
export async function analyzeTable(client: pg.Client, target: TargetTable): Promise<string[]> {
  if (target.kind === 'view') return [];
  const notices: string[] = [];
  // Without the right, ANALYZE warns and passes over the table.
  const listen = (notice: { message: string | undefined }) => {
    if (notice.message !== undefined) notices.push(`ANALYZE: ${notice.message}`);
  };
  client.on('notice', listen);
  try {
    await client.query(`analyze ${qualifiedName(target.schema, target.table)}`);
    return notices;
  } catch (error) {
    throw databaseError(error, { object: `${target.schema}.${target.table}` });
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

async function droppedIndexes(client: pg.Client, targetOid: number): Promise<DroppedIndex[]> {
  try {
    // A table that was dropped took its indexes along, for good.
    await client.query(
      `delete from thaw.dropped_indexes
       where target_oid = $1 and rebuilt_at is null and not exists (select from pg_class where oid = $1)`,
      [targetOid],
    );
    const { rows } = await client.query<DroppedIndex>(
      `select schema_name, index_name, definition, comment, tablespace
       from thaw.dropped_indexes
       where target_oid = $1 and rebuilt_at is null
       order by dropped_at, schema_name, index_name`,
      [targetOid],
    );
    return rows;
  } catch (error) {
    throw databaseError(error, { object: 'thaw.dropped_indexes' });
  }
}

async function rebuildIndex(
  client: pg.Client,
  targetOid: number,
  index: DroppedIndex,
): Promise<string | null> {
  try {
    await inTransaction(client, () => build(client, targetOid, index));
    return null;
  } catch (error) {
    const object = `${index.schema_name}.${index.index_name}`;
    const classified = databaseError(error, { object });
    if (classified.retryable && !isAboutTarget(classified)) throw classified;
    return `Index ${classified.message} when it was built again. It stays recorded in thaw.dropped_indexes; run: ${index.definition}`;
  }
}

async function build(client: pg.Client, targetOid: number, index: DroppedIndex): Promise<void> {
  await client.query(`set local lock_timeout = ${quoteLiteral(lockTimeout)}`);
  // Whoever rebuilds the same index at the same time waits here, and then finds it done.
  const { rowCount } = await client.query(
    `select from thaw.dropped_indexes
     where target_oid = $1 and schema_name = $2 and index_name = $3 and rebuilt_at is null
     for update`,
    [targetOid, index.schema_name, index.index_name],
  );
  if (rowCount === 0) return;
  await client.query(`set local default_tablespace = ${quoteLiteral(index.tablespace ?? '')}`);
  await client.query(index.definition.replace(/^CREATE INDEX /, 'create index if not exists '));
  if (index.comment !== null) {
    const name = qualifiedName(index.schema_name, index.index_name);
    await client.query(`comment on index ${name} is ${quoteLiteral(index.comment)}`);
  }
  await client.query(
    `update thaw.dropped_indexes set rebuilt_at = now()
     where target_oid = $1 and schema_name = $2 and index_name = $3`,
    [targetOid, index.schema_name, index.index_name],
  );
}

async function inTransaction<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  await client.query('begin');
  try {
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw error;
  }
}
