import type { PitrActivities } from '../src/contract/pitr.ts';
import { checkBase as check } from '../src/dump/pitr/check-base.ts';
import { checkFolder } from '../src/dump/pitr/cluster-folder.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withPitrTools } from './pitr-tools.ts';

/** Sees that the base backup is one, that the target lies behind it, and that no WAL is missing up to it. */
export function checkBase(thaw: ThawContext, searchAttributes: boolean): PitrActivities['checkBase'] {
  return (request) =>
    withPitrTools(thaw, request, async ({ signal, withBase, withWal }) => {
      await checkFolder(request.into, request.restoreId);
      const plan = await withBase((base) => withWal((wal) => check(request, base, wal, signal)));
      return { ...plan, searchAttributes };
    });
}
