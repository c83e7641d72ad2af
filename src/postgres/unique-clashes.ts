import type pg from 'pg';
import type { TargetTable } from './catalog.ts';
import { rowsOf } from './merge-sql.ts';
import type { MergedImages } from './merged-images.ts';
import type { Differences } from './snapshot-differences.ts';

/** Rows that a merge brings, and that would not be the only ones with their values in a unique index. */
export interface UniqueClash {
  readonly target: TargetTable;
  readonly index: string;
  /** Of the primary key; where there is none, of the index. */
  readonly columns: readonly string[];
  /** As text, in the order of the columns. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** There are more than these. */
  readonly more: boolean;
}

interface UniqueIndex {
  readonly name: string;
  /** As SQL, of columns alone. */
  readonly values: readonly string[];
  /** Which rows are in it; null: all. */
  readonly predicate: string | null;
  readonly nullsNotDistinct: boolean;
  /** As SQL, of what tells a row of the table. */
  readonly rowKey: readonly string[];
}

/**
 * Looks for rows that a merge of differences brings into a table, and that share their values in a unique index of it
 * with each other or with rows that stay. It may be asked before the merge, or when what goes has gone.
 *
 * @param client in the transaction that has found the differences
 * @param most rows that are named of an index
 */
export async function findUniqueClashes(
  client: pg.Client,
  { staged: { target }, table }: Differences,
  images: MergedImages,
  most: number,
): Promise<UniqueClash[]> {
  const clashes: UniqueClash[] = [];
  for (const { name, rowKey, ...index } of await readUniqueIndexes(client, target.oid)) {
    // Equality of documents takes two NULLs for the same, and can be hashed.
    const values = index.nullsNotDistinct ? [`jsonb_build_array(${index.values.join(', ')})`] : index.values;
    const named = values.map((_, place) => `v${place}`);
    const only = index.predicate === null ? 'true' : `(${index.predicate})`;
    const valued = values.map((value, place) => `${value} as v${place}`).join(', ');
    const { rows } = await client.query<{ readonly tuple: (string | null)[] }>(
      `with brought as materialized (
         select array[${rowKey.map((value) => `(${value})::text`).join(', ')}] as tuple, ${valued}
         from ${images.brought(target.oid)} as incoming where ${only}
       ), stays as not materialized (
         select ${valued} from (
           select * from ${rowsOf(target)} as live
           where not exists (select from ${table} as change where change.part = live.tableoid
             and change.live = live.ctid and (change.kind = 'delete' or change.moves))
         ) as live where ${only}
       )
       select tuple from brought join stays using (${named.join(', ')})
       union
       select tuple from brought where (${named.join(', ')}) in (
         select ${named.join(', ')} from brought group by ${named.join(', ')} having count(*) > 1)
       order by tuple limit $1`,
      [most + 1],
    );
    if (rows.length === 0) continue;
    const told = rows.slice(0, most).map(({ tuple }) => tuple);
    clashes.push({ target, index: name, columns: rowKey, rows: told, more: rows.length > most });
  }
  return clashes;
}

/** Exclusion constraints are none, nor is an index of a partition alone. */
async function readUniqueIndexes(client: pg.Client, oid: number): Promise<UniqueIndex[]> {
  const { rows } = await client.query<UniqueIndex>(
    `with own as (
       select i.*, c.relname,
         (select json_agg(pg_get_indexdef(i.indexrelid, place, false) order by place) from generate_series(1, i.indnkeyatts) as place) as plain
       from pg_index i
       join pg_class c on c.oid = i.indexrelid
       where i.indrelid = $1 and i.indisunique and i.indisready
     )
     select relname as name, pg_get_expr(indpred, indrelid) as predicate,
       (select json_agg(
          format('(%s)%s', pg_get_indexdef(indexrelid, place, false), (
            select format(' collate %I.%I', n.nspname, k.collname)
            from pg_collation k join pg_namespace n on n.oid = k.collnamespace where k.oid = indcollation[place - 1]))
          order by place)
        from generate_series(1, indnkeyatts) as place) as values,
       -- the column exists from PostgreSQL 15 on
       coalesce((to_jsonb(own) ->> 'indnullsnotdistinct')::boolean, false) as "nullsNotDistinct",
       coalesce((select plain from own as first where first.indisprimary), plain) as "rowKey"
     from own
     order by indisprimary desc, relname collate "C"`,
    [oid],
  );
  return rows;
}
