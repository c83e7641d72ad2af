import type pg from 'pg';
import type { TargetTable } from './catalog.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { copiedColumns, type Shadow, type ShadowKey } from './shadow.ts';
import type { Stage } from './stage.ts';

/**
 * Brings the rows of a target into its shadow that staged ones may meet there, by whichever key. A row that
 * was brought before stays as it is now in the shadow.
 *
 * @returns keys that the stage has no column of: by them, rows that would be met are not found
 */
export async function bringLiveRows(
  client: pg.Client,
  target: TargetTable,
  shadow: Shadow,
  stage: Stage,
): Promise<string[]> {
  const staged = new Set(stage.columns.map(({ name }) => name));
  const unfound: string[] = [];
  // Without its size, the planner might read all of the target.
  await client.query(`analyze ${stage.table}`);
  for (const key of shadow.keys) {
    const known = key.parts.filter(({ columns }) => columns.every((column) => staged.has(column)));
    if (known.length === 0) unfound.push(key.name);
    else await bringByKey(client, target, shadow, stage, { ...key, parts: known });
  }
  return unfound;
}

/** Parts of a key find more rows than are met, which does no harm. */
async function bringByKey(
  client: pg.Client,
  target: TargetTable,
  shadow: Shadow,
  stage: Stage,
  { parts, predicate, nullsNotDistinct }: ShadowKey,
): Promise<void> {
  const columns = copiedColumns(target).map(({ name }) => quoteIdentifier(name));
  const place = shadow.place.join(', ');
  const same = parts.map(({ sql, operator }, index) => {
    const isSame = `(${sql}) ${operator} staged.thaw_k${index}`;
    return nullsNotDistinct ? `(${isSame} or (${sql}) is null and staged.thaw_k${index} is null)` : isSame;
  });
  // Of an ordinary table only its own rows count, not those of tables that inherit from it.
  const only = target.kind === 'table' ? 'only ' : '';
  await client.query(
    `insert into ${shadow.table} (${[...columns, place].join(', ')}) overriding system value
     select ${columns.map((column) => `live.${column}`).join(', ')}, live.tableoid, live.ctid
     from ${only}${qualifiedName(target.schema, target.table)} as live
     where exists (
         select from (
           select ${parts.map(({ sql }, index) => `(${sql}) as thaw_k${index}`).join(', ')} from ${stage.table}
         ) as staged
         where ${same.join(' and ')})
       ${predicate === null ? '' : `and (${predicate})`}
     on conflict ${target.keys.some(({ deferrable }) => deferrable) ? `(${place})` : ''} do nothing`,
  );
}
