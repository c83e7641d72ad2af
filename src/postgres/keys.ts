/** A unique or exclusion index of the target, whether or not a constraint stands behind it. */
export interface Key {
  /** Name of the index, which is that of its constraint too. */
  readonly name: string;
  /** In the order of the index, without columns it only includes; null where one of them is an expression. */
  readonly columns: readonly string[] | null;
  /** The expressions as SQL, where there are any. */
  readonly expressions: string | null;
  /** The condition of a partial index as SQL. */
  readonly predicate: string | null;
  readonly primary: boolean;
  readonly exclusion: boolean;
  /** A constraint stands behind it, so that it cannot be dropped as an index. */
  readonly constraint: boolean;
  /** May be checked at the end of the statement or transaction only; `on conflict` cannot use it. */
  readonly deferrable: boolean;
  /** Two NULLs are the same key. */
  readonly nullsNotDistinct: boolean;
  /** False where a concurrent build failed: it is enforced, but `on conflict` cannot use it. */
  readonly valid: boolean;
}

/** Query for the {@link Key}s of the relation `target`, primary first, then by age; a part of the query of catalog.ts. */
export const keysSql = `
  select json_agg(json_build_object(
    'name', c.relname,
    'columns', case when i.indexprs is null then (
      select json_agg(a.attname order by part.position)
      from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) with ordinality as part (attnum, position)
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = part.attnum
    ) end,
    'expressions', pg_get_expr(i.indexprs, i.indrelid),
    'predicate', pg_get_expr(i.indpred, i.indrelid),
    'primary', i.indisprimary,
    'exclusion', i.indisexclusion,
    'constraint', k.oid is not null,
    'deferrable', not i.indimmediate or coalesce(k.condeferrable, false),
    -- the column exists from PostgreSQL 15 on
    'nullsNotDistinct', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false),
    'valid', i.indisvalid
  ) order by i.indisprimary desc, i.indexrelid)
  from target
  join pg_index i on i.indrelid = target.oid and (i.indisunique or i.indisexclusion)
  join pg_class c on c.oid = i.indexrelid
  left join pg_constraint k on k.conindid = i.indexrelid and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x')`;

/** Columns whose values tell rows apart. */
export interface RowKey {
  readonly columns: readonly string[];
  /** Two NULLs are the same key; else a row with a NULL in its key equals no other. */
  readonly nullsNotDistinct: boolean;
}

/** A key that `on conflict` can name by its columns. */
export type ConflictKey = Key & RowKey;

/**
 * The key by which `overwrite` and `upsert` find the row to update, and `skip` the row to keep: the
 * primary key, else the oldest total, immediate unique index of plain columns, those before others
 * whose columns cannot be NULL. Null where there is none.
 */
export function chooseConflictKey(keys: readonly Key[], notNull: ReadonlySet<string>): ConflictKey | null {
  const usable = keys.filter(isArbiter);
  return (
    usable.find((key) => key.primary) ??
    usable.find((key) => key.columns.every((column) => notNull.has(column))) ??
    usable[0] ??
    null
  );
}

/** The key of exactly these columns that `on conflict` can name; null where there is none. */
export function findConflictKey(keys: readonly Key[], columns: readonly string[]): ConflictKey | null {
  const wanted = new Set(columns);
  return (
    keys
      .filter(isArbiter)
      .find((key) => key.columns.length === wanted.size && key.columns.every((name) => wanted.has(name))) ??
    null
  );
}

/** Like {@link chooseConflictKey}, of the keys that are checked late: rows have to be compared by them. */
export function chooseLateKey(keys: readonly Key[]): RowKey | null {
  return keys.filter((key) => key.deferrable && key.valid).find(isPlain) ?? null;
}

function isArbiter(key: Key): key is ConflictKey {
  return isPlain(key) && key.valid && !key.deferrable;
}

/** A unique index of all rows by plain columns. */
export function isPlain(key: Key): key is ConflictKey {
  return key.columns !== null && key.predicate === null && !key.exclusion;
}
