import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import type { TargetColumn, TargetTable } from './catalog.ts';
import { quoteIdentifier } from './identifier.ts';
import { isPlain } from './keys.ts';
import { rowsOf, sameKey } from './merge-sql.ts';

/** Has merges keep what they change, so that it can be undone. */
export interface KeptImages {
  /** That it is undone by. */
  readonly restoreId: string;
  /** Columns of a key of the target that has no NULL, by which rows are found again. */
  readonly key: readonly string[];
}

/** How the changes of a restore are kept. @throws ThawError like {@link undoKeyOf} */
export function keptImages(target: TargetTable, restoreId: string): KeptImages {
  return { restoreId, key: undoKeyOf(target) };
}

/**
 * The key by which an undo finds rows again.
 *
 * @throws ThawError `SchemaIncompatible` for a target whose rows could not be told apart afterwards;
 * `PermissionDenied` where its rows cannot be read
 */
export function undoKeyOf(target: TargetTable): readonly string[] {
  const object = `${target.schema}.${target.table}`;
  const hint = 'Restore without --undoable, and take a backup first.';
  if (target.kind === 'view' || target.rules.length > 0) {
    const what = target.kind === 'view' ? 'it is a view' : 'it has rewrite rules';
    throw new ThawError('SchemaIncompatible', `${object}: ${what}, so what is inserted is not told.`, {
      object,
      hint,
    });
  }
  if (!target.may.select) {
    throw new ThawError('PermissionDenied', `${object}: its rows cannot be read, so none could be kept.`, {
      object,
      hint: `Grant select on ${object} to the user that Thaw connects as.`,
    });
  }
  if (target.hasRowSecurity) {
    throw new ThawError(
      'SchemaIncompatible',
      `${object}: row-level security may hide rows that were changed.`,
      {
        object,
        hint: 'Connect as a user that it does not apply to, or restore without --undoable.',
      },
    );
  }
  const key = totalKey(target);
  if (key === null) {
    throw new ThawError(
      'SchemaIncompatible',
      `${object}: it has no primary key, nor a unique index of columns that are never NULL, by which to find rows again.`,
      { object, hint },
    );
  }
  return key;
}

/** The key that rows are merged by, where it tells every row apart; else the first that does. */
function totalKey(target: TargetTable): readonly string[] | null {
  const notNull = new Set(target.columns.filter((column) => column.notNull).map(({ name }) => name));
  const total = target.keys
    .filter(isPlain)
    .filter((key) => key.valid && key.columns.every((name) => notNull.has(name)));
  const merged = target.comparedKey ?? target.conflictKey;
  if (merged === null) return total[0]?.columns ?? null;
  const wanted = new Set(merged.columns);
  // An overwrite changes every other column, so it may change other keys, too.
  const found = total.find(
    ({ columns }) => columns.length === wanted.size && columns.every((name) => wanted.has(name)),
  );
  return found?.columns ?? null;
}

/** The columns of which images are kept: all that have a value of their own. */
export function imageColumns({ columns }: Pick<TargetTable, 'columns'>): TargetColumn[] {
  return columns.filter(({ generated }) => generated === null);
}

/** A row as PostgreSQL's own text of each of its columns, under the settings of our sessions: exact to the last bit. */
export function imageOf(columns: readonly { readonly name: string }[], alias: string): string {
  return `array[${columns.map(({ name }) => `${alias}.${quoteIdentifier(name)}::text`).join(', ')}]`;
}

/** Tells images apart. */
export function digestOf(image: string): string {
  return `sha256(convert_to((${image})::text, 'UTF8'))`;
}

/** What a merge returns of its rows, called `live`, for {@link keepSql}. */
export function returningSql(target: TargetTable, { key }: KeptImages): string {
  return [
    ...key.map((name, place) => `live.${quoteIdentifier(name)} as key_${place}`),
    `array[${key.map((name) => `live.${quoteIdentifier(name)}::text`).join(', ')}] as thaw_key`,
    `${digestOf(imageOf(imageColumns(target), 'live'))} as thaw_after`,
  ].join(', ');
}

/**
 * A part of the statement that merges, which keeps what `from` returned: the statement sees the table as it
 * was before. Of a row that a restore changes again, what was there before the restore stays, unless somebody
 * else changed it in between.
 *
 * @param from what has returned {@link returningSql}
 * @param parameter number of the first of two: see {@link keepValues}
 */
export function keepSql(target: TargetTable, kept: KeptImages, from: string, parameter: number): string {
  const found = kept.key
    .map((name, place) => `was.${quoteIdentifier(name)} = changed.key_${place}`)
    .join(' and ');
  return `insert into thaw.undo_rows as own (restore_id, target_oid, key, before, after)
      select $${parameter}, $${parameter + 1}, changed.thaw_key,
        (select ${imageOf(imageColumns(target), 'was')} from ${rowsOf(target)} as was where ${found}),
        changed.thaw_after
      from ${from} as changed
      ${again}`;
}

/** The values that {@link keepSql} wants. */
export function keepValues(target: TargetTable, { restoreId }: KeptImages): readonly unknown[] {
  return [restoreId, target.oid];
}

const again = `on conflict (restore_id, target_oid, key) do update
      set after = excluded.after, left_why = null,
        before = case
          when own.after is not distinct from ${digestOf('excluded.before')} then own.before
          else excluded.before
        end`;

/**
 * Keeps all rows of a table, which nobody else writes into, before they are deleted.
 *
 * @returns how many there are
 * @throws ThawError like {@link keepColumns}
 */
export async function keepAll(client: pg.Client, target: TargetTable, kept: KeptImages): Promise<number> {
  await keepColumns(client, target, kept);
  const key = kept.key.map((name) => `was.${quoteIdentifier(name)}::text`).join(', ');
  const { rowCount } = await client.query(
    `insert into thaw.undo_rows as own (restore_id, target_oid, key, before, after)
     select $1, $2, array[${key}], ${imageOf(imageColumns(target), 'was')}, null
     from ${rowsOf(target)} as was
     ${again}`,
    [...keepValues(target, kept)],
  );
  return rowCount ?? 0;
}

/**
 * Keeps rows that were inserted from a stage, all of them.
 *
 * @param stage quoted name of what to read them from
 * @param condition of its rows, there called `archived`
 * @returns how many were found
 */
export async function keepInserted(
  client: pg.Client,
  target: TargetTable,
  kept: KeptImages,
  stage: string,
  condition: string,
  values: readonly unknown[],
): Promise<number> {
  const first = values.length + 1;
  const key = { columns: kept.key, nullsNotDistinct: false };
  const { rowCount } = await client.query(
    `insert into thaw.undo_rows as own (restore_id, target_oid, key, before, after)
     select $${first}, $${first + 1}, added.thaw_key, null, added.thaw_after
     from (
       select ${returningSql(target, kept)} from ${stage} as archived
       join ${rowsOf(target)} as live on ${sameKey(key, 'live', 'archived')}
       where ${condition}) as added
     ${again}`,
    [...values, ...keepValues(target, kept)],
  );
  return rowCount ?? 0;
}

/**
 * Keeps which columns the images have, before the first of them.
 *
 * @throws ThawError `SchemaIncompatible` where the table was altered since
 */
export async function keepColumns(client: pg.Client, target: TargetTable, kept: KeptImages): Promise<void> {
  const columns = imageColumns(target).map(({ name, typeName }) => `${quoteIdentifier(name)} ${typeName}`);
  const { rows } = await client.query<{ same: boolean }>(
    `insert into thaw.undo_tables as own (restore_id, target_oid, schema_name, table_name, key_columns, columns)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (restore_id, target_oid) do update set undone_at = null, kept_at = now()
     returning own.columns = $6::text[] and own.key_columns = $5::text[] as same`,
    [...keepValues(target, kept), target.schema, target.table, kept.key, columns],
  );
  if (rows[0]?.same === true) return;
  const object = `${target.schema}.${target.table}`;
  throw new ThawError(
    'SchemaIncompatible',
    `${object}: it was altered while it was restored with --undoable.`,
    {
      object,
      stage: 'merge',
      hint: 'Restore the rest by another restore.',
    },
  );
}
