import type pg from 'pg';
import type { SnapshotIssue } from '../../contract/snapshot-validation.ts';
import { MergedImages } from '../../postgres/merged-images.ts';
import { findUniqueClashes } from '../../postgres/unique-clashes.ts';
import { mostNamed, tellViolations } from '../order/held-keys.ts';
import { nameOf } from '../order/table-order.ts';
import { findBrokenKeys } from '../validate/check-keys.ts';
import type { FoundDifferences } from './found-differences.ts';
import { aboutObject, tableName } from './staged-check.ts';
import { tellClash } from './unique-clashes.ts';

/**
 * Looks for rows that a merge would refuse since their values of a unique index are taken, in its words.
 *
 * @param client in the transaction that has found the differences
 */
export async function findTakenValues(
  client: pg.Client,
  found: readonly FoundDifferences[],
): Promise<SnapshotIssue[]> {
  const issues: SnapshotIssue[] = [];
  for (const { differences, changes } of found) {
    if (changes.inserted + changes.updated === 0) continue;
    const object = tableName(differences.staged.target);
    const clashes = await aboutObject(object, async () => {
      const images = await MergedImages.read(client, [differences], []);
      return findUniqueClashes(client, differences, images, mostNamed);
    });
    issues.push(
      ...clashes.map((clash) => ({ issue: tellClash(clash), code: 'ConflictFound' as const, object })),
    );
  }
  return issues;
}

/**
 * Looks for rows that a merge would refuse since they would break a foreign key, likewise.
 *
 * @throws ThawError as `findBrokenKeys` does
 */
export async function findDanglingRows(
  client: pg.Client,
  found: readonly FoundDifferences[],
): Promise<SnapshotIssue[]> {
  const broken = await aboutObject('foreign keys', () => findBrokenKeys(client, found));
  return broken.map((violations) => ({
    ...{ issue: tellViolations(violations), code: 'RowRejected' },
    object: nameOf(violations.key.child),
  }));
}
