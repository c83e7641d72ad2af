import type pg from 'pg';
import type { SnapshotIssue } from '../../contract/snapshot-validation.ts';
import { countNulls } from '../../postgres/row-faults.ts';
import { findDanglingRows, findTakenValues } from '../merge/find-refusals.ts';
import { findChanges } from '../merge/found-differences.ts';
import { nameOf } from '../order/table-order.ts';
import type { StagedSnapshotTable } from '../restore/stage-snapshot.ts';

/**
 * Looks for staged rows that a merge would refuse: those with NULL where a column refuses it, those whose values
 * of a unique index are taken, and those that break a foreign key. Nothing is changed, and nobody waits for it.
 *
 * @param client in no transaction
 * @throws ThawError what keeps the tables from being merged at all
 */
export async function checkRows(
  client: pg.Client,
  staged: readonly StagedSnapshotTable[],
): Promise<SnapshotIssue[]> {
  const issues: SnapshotIssue[] = [];
  for (const table of staged) {
    const object = nameOf(table.target);
    for (const [column, rows] of await countNulls(client, table)) {
      const issue = `${object}, column ${column}: ${rows} rows of the snapshot have NULL, which it refuses`;
      issues.push({ issue, code: 'RowRejected', object });
    }
  }
  await client.query('begin isolation level repeatable read');
  try {
    const found = await findChanges(client, staged, null);
    issues.push(...(await findTakenValues(client, found)), ...(await findDanglingRows(client, found)));
    return issues;
  } finally {
    await client.query('rollback').catch(() => {});
  }
}
