import type { DumpRequest } from '../src/contract/dump-request.ts';
import type { Notices } from '../src/restore/notices.ts';
import { toTableError } from './failures.ts';
import type { SystemDatabaseRun } from './system-database.ts';
import type { SystemWork } from './system-work.ts';

/** Makes the old database live again, where the restored one has taken its place. */
export async function swapBack(
  database: SystemDatabaseRun,
  work: SystemWork,
  notices: Notices,
): Promise<void> {
  const { live, request, outcome, service } = database;
  if (outcome !== null && outcome.state !== 'completed') database.leftBehind = outcome.leftBehind;
  // One that was cancelled while it was swapped has told so by its end.
  const isSwapped = live === 'new' || outcome?.state === 'completed';
  if (!isSwapped || request === null || outcome === null) return;
  if (outcome.old === null) {
    database.live = 'new';
    notices.add(`${service} had no database before: the new one stays.`);
    return;
  }
  try {
    const { replaced } = await work.undoSwap(request);
    database.live = 'old';
    notices.add(`${service} was swapped back.`);
    if (replaced !== null) database.leftBehind = await dropReplaced(request, replaced, work, notices);
  } catch (error) {
    database.live = 'unknown';
    const { message } = toTableError(error);
    notices.add(`${service} could not be swapped back (${message}): do it by \`thaw swap-back ${service}\`.`);
  }
}

/** Drops the database that was live for a moment. Gives what is left of it. */
async function dropReplaced(
  request: DumpRequest,
  name: string,
  work: SystemWork,
  notices: Notices,
): Promise<readonly string[]> {
  try {
    await work.dropOldDatabase({ request, name, dropAt: new Date().toISOString() });
    return [];
  } catch (error) {
    notices.add(`${name} could not be dropped: ${toTableError(error).message}`);
    return [name];
  }
}
