import { RestartNested } from '../archive/slice-error.ts';
import type { LoadInput, LoadOutcome } from '../contract/activities.ts';
import type { ThawError } from '../contract/thaw-error.ts';
import { disconnect } from '../postgres/connection.ts';
import { keptImages } from '../postgres/kept-images.ts';
import { loadPrefix, readTurn } from '../postgres/targets.ts';
import { readTimeRange } from '../postgres/time-range.ts';
import { isAboutArchive } from './archive-error.ts';
import { archiveFailure } from './archive-failure.ts';
import { LoadSession, type Part } from './load-session.ts';
import type { LoadTools } from './load-tools.ts';
import { loadPart } from './part-load.ts';
import { RefusedRows } from './refused-rows.ts';
import { writtenColumns } from './written-columns.ts';

/**
 * Loads one archive or a pack in one transaction, and decides each of its archives: restored, restored
 * earlier, or failed. When one fails, all are done again, a transaction for each.
 *
 * @throws ThawError for what is not about one archive: errors of the moment, and of target or store as a whole
 */
export async function loadArchives(input: LoadInput, tools: LoadTools): Promise<LoadOutcome> {
  const prefix = loadPrefix(input.scope.restoreId, input.target.oid, input.firstOrdinal);
  const { undoneWith = input.scope.restoreId } = tools;
  const kept = input.options.undoable ? keptImages(tools.target, undoneWith) : null;
  const client = await tools.connect(prefix + tools.attempt);
  const session = new LoadSession(input, tools, client, kept);
  // Ends the statement under way as well; PostgreSQL rolls back when it notices.
  const abandon = () => void session.commitEnded().then(() => disconnect(client));
  tools.signal.addEventListener('abort', abandon, { once: true });
  try {
    const rest = await undecided(session);
    if (rest.from < rest.to) await decide(session, rest);
    return session.results.outcome();
  } finally {
    tools.signal.removeEventListener('abort', abandon);
    void disconnect(client);
  }
}

/** Takes over what an earlier attempt has decided, and gives what is left. */
async function undecided(session: LoadSession): Promise<Part> {
  const { archives, firstOrdinal, target, scope } = session.input;
  const { range, target: table } = session.tools;
  try {
    session.range = range === null ? null : await readTimeRange(session.client, table, range);
    const next = await readTurn(session.client, scope.restoreId, target);
    if (!target.ordered) return { from: 0, to: archives.length };
    const from = Math.min(Math.max(next - firstOrdinal, 0), archives.length);
    await session.takeOver(session.archivesOf({ from: 0, to: from }));
    return { from, to: archives.length };
  } catch (raw) {
    throw session.translate(raw);
  }
}

/** Loads archives together; where one of them is not good, each by itself. */
async function decide(session: LoadSession, part: Part): Promise<void> {
  try {
    await loadPart(session, part);
  } catch (error) {
    if (!isAboutArchive(error)) throw error;
    if (part.to - part.from === 1) await decideBad(session, part, error);
    else
      for (let index = part.from; index < part.to; index++)
        await decide(session, { from: index, to: index + 1 });
  }
}

/** Decides an archive by itself that could not be loaded as it is: without its refused rows, or as failed. */
async function decideBad(session: LoadSession, part: Part, error: ThawError): Promise<void> {
  const { rejects } = session;
  const known = rejects.refusedBy(part.from).size;
  try {
    if (mayLeaveOut(session, error)) await findRefused(session, part);
  } catch (worse) {
    if (!isAboutArchive(worse)) throw worse;
    return fail(session, part, worse);
  }
  if (rejects.refusedBy(part.from).size > known) await decide(session, part);
  else await fail(session, part, error);
}

/** PostgreSQL refused a row. One that refers to a row of the table itself may find it in a later archive. */
function mayLeaveOut(session: LoadSession, error: ThawError): boolean {
  const isRefused = error.code === 'RowRejected' && error.sqlstate !== undefined;
  return session.rejects.max > 0 && isRefused && !session.isSelfReference(error);
}

/** Finds the rows of an archive that PostgreSQL refuses once its turn has come, and writes nothing. */
async function findRefused(session: LoadSession, part: Part): Promise<void> {
  const { client, range, rejects } = session;
  const { target } = session.tools;
  const { conflictStrategy } = session.input.options;
  const key = session.reader.keyAt(part.from);
  const take = (line: number, error: ThawError) => {
    if (!session.isSelfReference(error)) rejects.refuse(part.from, key, line, error);
  };
  for (;;) {
    try {
      const { claimed } = await session.begin(part);
      const sink = new RefusedRows(client, target, writtenColumns(target), conflictStrategy, range, take);
      await session.copier.copy(claimed, sink, range);
      await session.awaitTurn(part, false);
      await sink.merge();
      return await session.rollBack(null);
    } catch (raw) {
      const error = session.translate(raw);
      await session.rollBack(null);
      if (!(error instanceof RestartNested)) throw error;
    }
  }
}

/** Decides that an archive failed, in a transaction of its own, and moves the turn on. */
async function fail(session: LoadSession, part: Part, error: ThawError): Promise<void> {
  const failure = await archiveFailure(session.reader, part.from, error);
  try {
    const { claimed } = await session.begin(part);
    const deferred = session.isSelfReference(error);
    if (claimed.length > 0) await session.ledger.fail(session.client, failure, deferred);
    await session.awaitTurn(part, false);
    await session.commit();
    await session.takeOver(session.archivesOf(part));
  } catch (raw) {
    await session.rollBack(null);
    throw session.translate(raw);
  }
}
