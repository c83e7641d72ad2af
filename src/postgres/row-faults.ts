import type pg from 'pg';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import type { StagedTable } from './snapshot-differences.ts';

/** Staged rows that have NULL in columns that refuse it: how many, by column. */
export async function countNulls(
  client: pg.Client,
  { stage, columns }: Pick<StagedTable, 'stage' | 'columns'>,
): Promise<ReadonlyMap<string, number>> {
  const names = columns.filter(({ notNull }) => notNull).map(({ name }) => name);
  if (names.length === 0) return new Map();
  const counts = names.map((name) => `count(*) filter (where num_nulls(${quoteIdentifier(name)}) = 1)`);
  const { rows } = await client.query<{ readonly counts: readonly string[] }>(
    `select array[${counts.join(', ')}]::text[] as counts from ${qualifiedName(stage.schema, stage.table)}`,
  );
  const found = names.map((name, place): [string, number] => [name, Number(rows[0]?.counts[place] ?? 0)]);
  return new Map(found.filter(([, count]) => count > 0));
}
