import type pg from 'pg';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { isPlain } from './keys.ts';
import { type Reference, referring, type UndoScope } from './undo-rows.ts';
import { undoSql } from './undo-sql.ts';

/** The reasons for which rows are left that could go, or come back, together with others. */
export const reasonsOfOthers = ['referenced', 'orphaned'];
/** The same, of rows whose unique values others have. */
export const reasonsOfKeys = ['SQLSTATE 23503', 'SQLSTATE 23505', 'SQLSTATE 23P01'];

/**
 * How rows are undone together: those that are changed back stay where they are; or they are deleted and inserted
 * `anew`, so that two can have the unique values that each other has now; or all are without their unique values
 * meanwhile, as far as these may be NULL, where others refer to a row so that it cannot be deleted.
 */
export type Together = 'in place' | 'anew' | 'without values';

/**
 * Collects rows that were left for some reasons and are as the restore left them, in a temporary table of the
 * transaction that is open.
 *
 * @returns how many there are
 */
export async function gatherLeft(
  client: pg.Client,
  scopes: readonly UndoScope[],
  reasons: readonly string[],
): Promise<number> {
  await client.query(
    `create temp table thaw_together (
       target_oid oid, key text[], before text[], after bytea, kind text, primary key (target_oid, key)
     ) on commit drop`,
  );
  let gathered = 0;
  for (const { restoreId, target, key } of scopes) {
    const { live, found, untouched } = undoSql(target, key);
    const { rowCount } = await client.query(
      `insert into thaw_together
       select page.target_oid, page.key, page.before, page.after,
         case when page.before is null then 'added' when page.after is null then 'deleted' else 'changed' end
       from thaw.undo_rows as page
       where page.restore_id = $1 and page.target_oid = $2 and page.left_why = any($3) and case
         when page.after is null then not exists (select from ${live} as live where ${found})
         else exists (select from ${live} as live where ${found} and ${untouched})
       end`,
      [restoreId, target.oid, reasons],
    );
    gathered += rowCount ?? 0;
  }
  await client.query('analyze pg_temp.thaw_together');
  return gathered;
}

/** Leaves out rows that others than the gathered ones refer to, and those that only such keep. */
export async function leaveReferenced(client: pg.Client, scopes: readonly UndoScope[]): Promise<void> {
  for (let left = 1; left > 0; ) {
    left = 0;
    for (const { target, key, references } of scopes) {
      const { live, found, same } = undoSql(target, key);
      for (const reference of references) {
        const { rowCount } = await client.query(
          `delete from thaw_together as page using ${live} as live
           where page.target_oid = $1 and ${found}
             and (page.kind = 'added' or page.kind = 'changed' and not (${same(reference.referred)}))
             and exists (${referring(reference)} and not ${isSettled(reference, scopes)})`,
          [target.oid],
        );
        left += rowCount ?? 0;
      }
    }
  }
}

/** The condition that the row `child` will not refer to what it refers to now. */
function isSettled({ schema, table, columns }: Reference, scopes: readonly UndoScope[]): string {
  const scope = scopes.find(({ target }) => target.schema === schema && target.table === table);
  if (scope === undefined) return 'false';
  const places = undoSql(scope.target, scope.key).columns.map(({ name }) => name);
  const moves = columns.map(
    (name) =>
      `page.before[${places.indexOf(name) + 1}] is distinct from child.${quoteIdentifier(name)}::text`,
  );
  return `exists (
    select from thaw_together as page
    where page.target_oid = ${scope.target.oid} and ${keyOf(scope, 'child')} = page.key
      and (page.kind = 'added' or page.kind = 'changed' and (${moves.join(' or ')})))`;
}

function keyOf({ key }: UndoScope, alias: string): string {
  return `array[${key.map((name) => `${alias}.${quoteIdentifier(name)}::text`).join(', ')}]`;
}

/** Whether rows that are changed back can be deleted meanwhile: no foreign key deletes or changes others then. */
export async function mayGoAnew(client: pg.Client, scopes: readonly UndoScope[]): Promise<boolean> {
  for (const { target, key, references } of scopes) {
    const { live, found } = undoSql(target, key);
    for (const reference of references.filter(({ acts }) => acts)) {
      const { schema, table } = reference;
      const scope = scopes.find((other) => other.target.schema === schema && other.target.table === table);
      const gathered =
        scope === undefined
          ? 'false'
          : `exists (
              select from thaw_together as other
              where other.target_oid = ${scope.target.oid} and other.key = ${keyOf(scope, 'child')})`;
      const { rowCount } = await client.query(
        `select from thaw_together as page join ${live} as live on ${found}
         where page.target_oid = $1 and page.kind = 'changed' and exists (${referring(reference)} and not ${gathered})
         limit 1`,
        [target.oid],
      );
      if (rowCount !== 0) return false;
    }
  }
  return true;
}

/**
 * Undoes the gathered rows; foreign keys are checked afterwards, those at least that allow it.
 *
 * @param scopes those that are referred to first
 */
export async function undoGathered(
  client: pg.Client,
  scopes: readonly UndoScope[],
  how: Together,
): Promise<void> {
  await client.query('set constraints all deferred');
  const [goes, comes] =
    how === 'anew' ? ["in ('added', 'changed')", "in ('deleted', 'changed')"] : ["= 'added'", "= 'deleted'"];
  const each = async (
    statement: (sql: ReturnType<typeof undoSql>, scope: UndoScope) => string | null,
    order = scopes,
  ) => {
    for (const scope of order) {
      const text = statement(undoSql(scope.target, scope.key), scope);
      if (text !== null) await client.query(text, [scope.target.oid]);
    }
  };
  if (how === 'without values') {
    await each(({ live, found }, { target, key }) => {
      const unique = new Set(target.keys.filter(isPlain).flatMap(({ columns }) => columns));
      const loose = target.columns.filter(
        ({ name, notNull, generated, identity }) =>
          unique.has(name) && !key.includes(name) && !notNull && generated === null && identity === null,
      );
      const nothing = loose.map(({ name }) => `${quoteIdentifier(name)} = null`);
      return nothing.length === 0
        ? null
        : `update ${live} as live set ${nothing.join(', ')} from thaw_together as page
           where page.target_oid = $1 and page.kind <> 'deleted' and ${found}`;
    });
  }
  if (how !== 'anew') {
    await each(({ live, changes, found }) =>
      changes === ''
        ? null
        : `update ${live} as live set ${changes} from thaw_together as page
           where page.target_oid = $1 and page.kind = 'changed' and ${found}`,
    );
  }
  await each(
    ({ live, found }) =>
      `delete from ${live} as live using thaw_together as page
       where page.target_oid = $1 and page.kind ${goes} and ${found}`,
    scopes.toReversed(),
  );
  await each(
    ({ names, values }, { target }) =>
      `insert into ${qualifiedName(target.schema, target.table)} (${names}) overriding system value
       select ${values} from thaw_together as page where page.target_oid = $1 and page.kind ${comes}`,
  );
}

/** A row that was gathered. */
export interface GatheredKey {
  readonly oid: number;
  readonly key: readonly string[];
}

/** The rows that were brought back and refer to what is not there. */
export async function findOrphans(client: pg.Client, scopes: readonly UndoScope[]): Promise<GatheredKey[]> {
  const orphans: GatheredKey[] = [];
  for (const { target, key, parents } of scopes) {
    const { live, found } = undoSql(target, key);
    for (const { parent, pairs, readable } of parents) {
      if (!readable) continue;
      const refers = pairs.map(({ child }) => `live.${quoteIdentifier(child)} is not null`).join(' and ');
      const same = pairs
        .map(
          (pair) =>
            `parent.${quoteIdentifier(pair.parent)} ${pair.operator} live.${quoteIdentifier(pair.child)}`,
        )
        .join(' and ');
      const { rows } = await client.query<GatheredKey>(
        `select page.target_oid as oid, page.key from thaw_together as page join ${live} as live on ${found}
         where page.target_oid = $1 and page.kind <> 'added' and ${refers} and not exists (
           select from ${qualifiedName(parent.schema, parent.table)} as parent where ${same})`,
        [target.oid],
      );
      orphans.push(...rows);
    }
  }
  return orphans;
}

/** Leaves out gathered rows. */
export async function leaveKeys(client: pg.Client, keys: readonly GatheredKey[]): Promise<void> {
  await client.query(
    `delete from thaw_together as page using json_array_elements($1) as other
     where page.target_oid = (other ->> 'oid')::oid
       and page.key = array(select json_array_elements_text(other -> 'key'))`,
    [JSON.stringify(keys)],
  );
}

/**
 * Writes that the gathered rows of a table are undone.
 *
 * @returns how many; null where one of them is not as it was
 */
export async function settleGathered(
  client: pg.Client,
  { restoreId, target, key }: UndoScope,
): Promise<number | null> {
  const { live, found, exact } = undoSql(target, key);
  const other = await client.query(
    `select from thaw_together as page
     where page.target_oid = $1 and case
       when page.kind = 'added' then exists (select from ${live} as live where ${found})
       else not exists (select from ${live} as live where ${found} and ${exact})
     end
     limit 1`,
    [target.oid],
  );
  if (other.rowCount !== 0) return null;
  const { rows } = await client.query<{ deleted: number; broughtBack: number }>(
    `with done as (
       delete from thaw.undo_rows as own using thaw_together as page
       where own.restore_id = $1 and own.target_oid = $2 and page.target_oid = $2 and own.key = page.key
       returning page.kind
     ), counted as (
       select count(*) filter (where kind = 'added') as deleted, count(*) filter (where kind <> 'added') as back from done
     )
     update thaw.undo_tables as own
     set deleted = own.deleted + counted.deleted, brought_back = own.brought_back + counted.back
     from counted where restore_id = $1 and target_oid = $2
     returning counted.deleted, counted.back as "broughtBack"`,
    [restoreId, target.oid],
  );
  return rows.reduce((sum, { deleted, broughtBack }) => sum + deleted + broughtBack, 0);
}
