import type pg from 'pg';
import { holdForMerge } from '../postgres/merge-hold.ts';
import { inTransaction } from '../postgres/transaction.ts';
import { ChangedByTrigger, type UndoScope } from '../postgres/undo-rows.ts';
import {
  findOrphans,
  gatherLeft,
  leaveKeys,
  leaveReferenced,
  mayGoAnew,
  reasonsOfKeys,
  reasonsOfOthers,
  settleGathered,
  type Together,
  undoGathered,
} from '../postgres/undo-together.ts';
import { refusalOf } from './undo-table.ts';

interface Attempt {
  readonly reasons: readonly string[];
  readonly how: Together;
}

/** Rows whose unique values others have may keep back the rest, which is tried by itself then. */
const attempts: readonly Attempt[] = [
  { reasons: [...reasonsOfOthers, ...reasonsOfKeys], how: 'in place' },
  { reasons: [...reasonsOfOthers, ...reasonsOfKeys], how: 'anew' },
  { reasons: [...reasonsOfOthers, ...reasonsOfKeys], how: 'without values' },
  { reasons: reasonsOfOthers, how: 'in place' },
];

/**
 * Undoes rows that were left as they refer to each other in a circle, or have unique values that each other had
 * before: in one transaction, as the restore did them. What others refer to stays.
 *
 * @param scopes those that are referred to first
 * @returns how many rows are as they were before the restore, that were not before the call
 */
export async function undoTogether(
  client: pg.Client,
  scopes: readonly UndoScope[],
  prove: () => Promise<void> = async () => {},
): Promise<number> {
  for (const attempt of attempts) {
    try {
      const undone = await inTransaction(client, async () => {
        await prove();
        return undoGroup(client, scopes, attempt);
      });
      if (undone !== null) return undone;
    } catch (raw) {
      // What PostgreSQL refuses of them stays as it is marked.
      refusalOf(raw, scopes.map(({ target }) => `${target.schema}.${target.table}`).join(', '));
    }
  }
  return 0;
}

/** @returns how many rows; null where it is no use in this way */
async function undoGroup(
  client: pg.Client,
  scopes: readonly UndoScope[],
  { reasons, how }: Attempt,
): Promise<number | null> {
  const releases: (() => Promise<void>)[] = [];
  // In one order, whoever else takes several.
  for (const { target } of scopes) releases.push(await holdForMerge(client, target, true));
  if ((await gatherLeft(client, scopes, reasons)) === 0) return how === 'in place' ? 0 : null;
  for (;;) {
    await leaveReferenced(client, scopes);
    if (how === 'anew' && !(await mayGoAnew(client, scopes))) return null;
    await client.query('savepoint thaw_together');
    await undoGathered(client, scopes, how);
    const orphans = await findOrphans(client, scopes);
    if (orphans.length === 0) break;
    await client.query('rollback to savepoint thaw_together');
    await leaveKeys(client, orphans);
  }
  await client.query('set constraints all immediate');
  let undone = 0;
  for (const scope of scopes) {
    const settled = await settleGathered(client, scope);
    if (settled === null) throw new ChangedByTrigger();
    undone += settled;
  }
  for (const release of releases) await release();
  return undone;
}
