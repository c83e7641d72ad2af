import type pg from 'pg';
import type { SnapshotTableName } from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { type ChangeLog, firstLogged } from '../../postgres/change-log.ts';
import { compareTimes } from '../../postgres/replay-times.ts';
import { findUnloggedRestore } from '../../postgres/unlogged-restores.ts';

/**
 * Sees that the time can be reached from the snapshot by the log.
 *
 * @param tables that are to be brought there
 * @returns what the user should know
 * @throws ThawError `InputInvalid`
 */
export async function checkWindow(
  client: pg.Client,
  log: ChangeLog,
  tables: readonly SnapshotTableName[],
  { after, to: until }: { readonly after: string; readonly to: string },
): Promise<string[]> {
  const object = `${log.schema}.${log.table}`;
  const { completeSince } = log;
  const first = completeSince === null ? await firstLogged(client, log) : null;
  const times = await compareTimes(client, { after, until, completeSince, first });
  if (times.isFuture) throw refused(`${until} has not come yet`, 'Name a time that is over.');
  if (times.isBeforeSnapshot) {
    throw refused(
      `${until} is before the snapshot, which is of ${after}`,
      'Use an earlier snapshot; without an id, the one that fits is chosen.',
    );
  }
  if (times.isBeforeLog) {
    throw refused(
      `${object} is complete since ${completeSince} only, and the snapshot is of ${after}`,
      'Use a later snapshot.',
    );
  }
  const unlogged = await findUnloggedRestore(client, tables, { after, to: until });
  if (unlogged !== null) {
    const { schema, table, restoreId, mergedAt } = unlogged;
    throw refused(
      `restore ${restoreId} brought ${schema}.${table} back to a snapshot at ${mergedAt}, which no log has`,
      'Use a snapshot that was taken after that, or a time before it.',
    );
  }
  const notices: string[] = [];
  if (completeSince === null && times.beginsLater) {
    notices.push(
      `The log ${object} begins ${first === null ? 'with nothing' : `at ${first}`}, after the snapshot of ${after}: what changed before is not restored. If it is complete, say so: comment on table ${object} is 'complete since …'`,
    );
  }
  if (times.open > 0) {
    notices.push(
      `${times.open} transactions that were begun before ${until} are still open: what they change is not restored.`,
    );
  }
  return notices;
}

function refused(what: string, hint: string): ThawError {
  return new ThawError('InputInvalid', `--to: ${what}.`, { object: '--to', hint });
}
