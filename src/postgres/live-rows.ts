import type pg from 'pg';
import type { TargetTable } from './catalog.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import { copiedColumns, type Shadow, type ShadowKey, setBringing } from './shadow.ts';
import { analyzeStage, freeName, type Stage } from './stage.ts';

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
  await analyzeStage(client, stage);
  await setBringing(client, true);
  for (const key of shadow.keys) {
    const known = key.parts.filter(({ columns }) => columns.every((column) => staged.has(column)));
    if (known.length === 0) unfound.push(key.name);
    else await bringByKey(client, target, shadow, stage, { ...key, parts: known });
  }
  await setBringing(client, false);
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
  const [part, place] = ['thaw_part', 'thaw_place'].map((name) =>
    quoteIdentifier(freeName(target.columns, name)),
  );
  const same = parts.map(({ sql, operator }, index) => {
    const isSame = `(${sql}) ${operator} staged.thaw_k${index}`;
    return nullsNotDistinct ? `(${isSame} or (${sql}) is null and staged.thaw_k${index} is null)` : isSame;
  });
  // Of an ordinary table only its own rows count, not those of tables that inherit from it.
  const only = target.kind === 'table' ? 'only ' : '';
  await client.query(
    `with met as materialized (
       select ${columns.map((column) => `live.${column}`).join(', ')}, live.tableoid as ${part}, live.ctid as ${place}
       from ${only}${qualifiedName(target.schema, target.table)} as live
       where exists (
           select from (
             select ${parts.map(({ sql }, index) => `(${sql}) as thaw_k${index}`).join(', ')} from ${stage.rows} as archived
           ) as staged
           where ${same.join(' and ')})
         ${predicate === null ? '' : `and (${predicate})`}
         and not exists (
           select from ${shadow.places} as known where known.part = live.tableoid and known.place = live.ctid)
     ), noted as (
       insert into ${shadow.places} (part, place) select ${part}, ${place} from met
     )
     insert into ${shadow.table} (${columns.join(', ')}) overriding system value
     select ${columns.join(', ')} from met
     ${target.keys.some(({ deferrable }) => deferrable) ? '' : 'on conflict do nothing'}`,
  );
}
