import { RestartNested } from '../archive/slice-error.ts';
import { emptyTally } from '../restore/tally.ts';
import { type CopiedArchive, nothingCopied } from './archive-copier.ts';
import { isConflict } from './archive-error.ts';
import { DirectSink } from './direct-sink.ts';
import type { LoadSession, Part, PartClaim } from './load-session.ts';
import { ambiguousOrigin } from './origin.ts';
import type { Sink } from './sink.ts';
import { StagedSink } from './staged-sink.ts';
import { GiveWay } from './turn.ts';
import { writtenColumns } from './written-columns.ts';

/** Straight into the target, or into temporary tables that are merged. */
type Way = 'direct' | 'staged';

/**
 * Loads a part of a load in one transaction: straight into the target, or staged where that finds a conflict.
 *
 * @throws what an archive of it, the target or the moment is to blame for; nothing of the part is loaded then
 */
export async function loadPart(session: LoadSession, part: Part): Promise<void> {
  const { range, kept, taken } = session;
  const { target, hints } = session.tools;
  const mayCopy = target.stagedOnly === null && range === null && kept === null;
  if (mayCopy && !hints.expectsConflict(taken)) {
    const done = await attempt(session, part, 'direct');
    if (done) return;
    hints.foundConflict(taken);
  }
  await attempt(session, part, 'staged');
}

/** @returns false when the rows have to be staged instead */
async function attempt(session: LoadSession, part: Part, way: Way): Promise<boolean> {
  for (;;) {
    let sink: Sink | null = null;
    try {
      const claim = await session.begin(part);
      sink = openSink(session, way);
      const copied = await session.copier.copy(claim.claimed, sink, session.range);
      await commitPart(session, part, claim, copied, sink, way);
      return true;
    } catch (raw) {
      const error = session.translate(raw);
      await session.rollBack(sink);
      if (error instanceof RestartNested) continue;
      if (way === 'direct' && isTooEarly(session, error)) return false;
      throw error;
    }
  }
}

/**
 * What may come of copying before earlier archives have committed: one of them waits for its rows, theirs were not
 * there, or in the way.
 */
function isTooEarly(session: LoadSession, error: unknown): boolean {
  return error instanceof GiveWay || isConflict(error) || session.isSelfReference(error);
}

function openSink({ client, input, tools, range, kept }: LoadSession, way: Way): Sink {
  const { target } = tools;
  const columns = writtenColumns(target);
  return way === 'direct'
    ? new DirectSink(client, target, columns)
    : new StagedSink(client, target, columns, input.options, range, kept);
}

async function commitPart(
  session: LoadSession,
  part: Part,
  { claimed, earlier, decided }: PartClaim,
  copied: ReadonlyMap<number, CopiedArchive>,
  sink: Sink,
  way: Way,
): Promise<void> {
  const { input, tools, results } = session;
  tools.progress.enter('commit', input.what);
  await session.awaitTurn(part, way === 'direct' && claimed.length > 0);
  await refuseUntold(session, claimed, copied);
  tools.progress.enter('merge', input.what);
  const counts = await sink.merge();
  const settled = claimed.map((index) => {
    const archive = copied.get(index) ?? nothingCopied;
    const merged = counts.get(index) ?? emptyTally.rows;
    return {
      key: session.reader.keyAt(index),
      ...archive,
      counts: { ...merged, failed: archive.rejected.length },
    };
  });
  await session.ledger.settle(session.client, settled);
  await session.commit();
  const isAllNew = settled.every(({ rows, counts: { inserted, failed } }) => inserted + failed === rows);
  if (way === 'staged' && isAllNew) tools.hints.foundNone(session.taken);
  for (const [place, index] of claimed.entries()) {
    const archive = input.archives[index];
    const done = settled[place];
    if (archive === undefined || done === undefined) continue;
    if (done.foreignSchema !== null) results.addForeign(archive, done.foreignSchema);
    else results.addRestored(archive, done.counts, done.columnNotes);
  }
  results.addEarlier(earlier);
  await session.takeOver(decided);
}

/**
 * Whose an archive without metadata is, is told by those before it: all of them are decided when its turn comes.
 *
 * @throws ThawError `MetadataInvalid`
 */
async function refuseUntold(
  { ledger, client, reader, input }: LoadSession,
  claimed: readonly number[],
  copied: ReadonlyMap<number, CopiedArchive>,
): Promise<void> {
  if (![...copied.values()].some(({ isUntold }) => isUntold)) return;
  let isShared = await ledger.hasForeign(client);
  for (const index of claimed) {
    const { foreignSchema, isUntold } = copied.get(index) ?? nothingCopied;
    isShared ||= foreignSchema !== null;
    if (isUntold && isShared) throw ambiguousOrigin(reader.keyAt(index), input.scope.table.schema);
  }
}
