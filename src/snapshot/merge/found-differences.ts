import type pg from 'pg';
import type { SnapshotTableResult } from '../../contract/snapshot.ts';
import type { SnapshotDifference } from '../../contract/snapshot-difference.ts';
import type { TargetTable } from '../../postgres/catalog.ts';
import {
  countDifferences,
  type Differences,
  findDifferences,
  type StagedTable,
} from '../../postgres/snapshot-differences.ts';
import { chooseDifferences } from './choose-differences.ts';
import { aboutObject, checkStaged, tableName } from './staged-check.ts';

/** A table, what is to change in it, and how many rows are to differ even then. */
export interface FoundDifferences {
  readonly differences: Differences;
  readonly changes: SnapshotTableResult;
  readonly remaining: number;
}

/**
 * Finds what a merge changes, in the transaction that is open.
 *
 * @param chosen the only differences to take, each exactly as it was told; null: all
 * @returns them in the order of the tables
 * @throws ThawError as `checkStaged` and `chooseDifferences` do, and what PostgreSQL has against it
 */
export async function findChanges(
  client: pg.Client,
  tables: readonly StagedTable[],
  chosen: AsyncIterable<readonly SnapshotDifference[]> | null,
  onComparing?: (table: TargetTable) => void,
): Promise<FoundDifferences[]> {
  const lists: Differences[] = [];
  const counts: SnapshotTableResult[] = [];
  for (const [place, staged] of tables.entries()) {
    onComparing?.(staged.target);
    await aboutObject(tableName(staged.target), async () => {
      await checkStaged(client, staged);
      const differences = await findDifferences(client, staged, place);
      lists.push(differences);
      counts.push(await countDifferences(client, differences));
    });
  }
  if (chosen !== null) await chooseDifferences(client, lists, chosen);
  const found: FoundDifferences[] = [];
  for (const [place, differences] of lists.entries()) {
    const all = counts[place];
    const changes =
      chosen === null && all !== undefined
        ? all
        : await aboutObject(tableName(differences.staged.target), () =>
            countDifferences(client, differences),
          );
    found.push({ differences, changes, remaining: changedRows(all ?? changes) - changedRows(changes) });
  }
  return found;
}

/** How many rows of a table are not as they were. */
export function changedRows({ inserted, updated, deleted }: SnapshotTableResult): number {
  return inserted + updated + deleted;
}
