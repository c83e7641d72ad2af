import type pg from 'pg';
import type { TargetTable } from './catalog.ts';
import { quoteIdentifier } from './identifier.ts';
import { liveRow } from './merge-sql.ts';
import type { Stage } from './stage.ts';
import type { StageRange } from './stage-range.ts';

/**
 * The keys of staged rows that the target has already, in the order of the rows.
 *
 * @returns as text; none where the key is of several columns, or the rows do not have it
 */
export async function readExistingKeys(
  client: pg.Client,
  target: TargetTable,
  stage: Stage,
  range: StageRange,
  limit: number,
): Promise<string[]> {
  const key = target.conflictKey;
  const [column, ...others] = key?.columns ?? [];
  if (key === null || column === undefined || others.length > 0) return [];
  if (!stage.columns.some(({ name }) => name === column)) return [];
  const { rows } = await client.query<{ key: string }>(
    `select archived.${quoteIdentifier(column)}::text as key
     from ${stage.rows} as archived
     where archived.${stage.row} between $1 and $2
       and exists (${liveRow(target, key)})
     order by archived.${stage.row}
     limit $3`,
    [range.first, range.last, limit],
  );
  return rows.map((row) => row.key);
}
