import type pg from 'pg';
import type { RowCounts } from '../contract/outcome.ts';
import type { Shadow } from './shadow.ts';

/**
 * Estimates by how many bytes a table grows: rows have the size that they have in its shadow, and indexes the
 * share that they have in the table now. Of an empty table, each index has the average size of the shadow's keys.
 * An update leaves the old row behind, so it takes as much room as an insert.
 *
 * @param oid of the table
 * @param counts rows that are inserted or updated
 */
export async function estimateGrowth(
  client: pg.Client,
  oid: number,
  shadow: Shadow,
  { inserted, updated }: Pick<RowCounts, 'inserted' | 'updated'>,
): Promise<number> {
  const versions = inserted + updated;
  if (versions === 0) return 0;
  const { rows } = await client.query<Sizes>(
    `with tree as (
       select $1::oid as oid union select relid from pg_partition_tree($1::oid)
     ), shadow_key as (
       select pg_relation_size(indexrelid) as size from pg_index
       where indrelid = $2::regclass and indexrelid::regclass::text !~ 'thaw_shadow_\\d+_'
     )
     select (select count(*) from ${shadow.table}) as rows, pg_table_size($2::regclass) as shadow,
       (select coalesce(sum(pg_table_size(oid)), 0) from tree)::bigint as live,
       (select coalesce(sum(pg_indexes_size(oid)), 0) from tree)::bigint as indexes,
       (select count(*) from pg_index where indrelid = $1) as index_count,
       (select coalesce(avg(size), 0) from shadow_key)::float8 as key`,
    [oid, shadow.table],
  );
  const [sizes] = rows;
  if (sizes === undefined || sizes.rows === 0) return 0;
  const { shadow: bytes, live, indexes, index_count: count, key } = sizes;
  const share = live > largeEnough ? indexes / live : (key * count) / bytes;
  return Math.round((bytes / (sizes.rows + updated)) * versions * (1 + share));
}

/** A table of this size has indexes by whose share others can be told. */
const largeEnough = 1024 * 1024;

interface Sizes {
  /** In the shadow. */
  readonly rows: number;
  /** Bytes of the shadow, without its indexes. */
  readonly shadow: number;
  readonly live: number;
  readonly indexes: number;
  readonly index_count: number;
  /** Bytes of one index of the shadow. */
  readonly key: number;
}
