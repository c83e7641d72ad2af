import type pg from 'pg';
import { ThawError } from '../../contract/thaw-error.ts';
import { listOld } from './old-databases.ts';
import { swapBack } from './swap.ts';

/**
 * Undoes the swap of a restore, as long as it is the last one of its database: the old database is live again, and
 * the one that took its place may be dropped. An attempt that finds it done gives what was done.
 *
 * @param client a session in the maintenance database, named by `dumpSessionPrefix` of that restore
 * @returns what the one is called now that took its place; null where there is none
 * @throws ThawError `TargetBusy` where another one was swapped in meanwhile, and as {@link swapBack}
 */
export async function undoSwap(
  client: pg.Client,
  { database, restoreId }: { readonly database: string; readonly restoreId: string },
  signal?: AbortSignal,
): Promise<string | null> {
  // By it an attempt knows what one before it did.
  const undoing = `${restoreId}-undo`;
  const last = (await listOld(client)).find(({ record }) => record.live === database);
  if (last !== undefined && last.record.restore !== restoreId && last.record.restore !== undoing) {
    throw new ThawError('TargetBusy', `${database} was swapped by ${last.record.restore} meanwhile.`, {
      object: database,
      hint: 'See what that one did; `thaw swap-back` undoes it.',
    });
  }
  const { old } = await swapBack(client, { database, restoreId: undoing, keepOldSeconds: 0 }, signal);
  return old;
}
