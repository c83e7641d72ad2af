import { compareArchiveOrder, inArchiveOrder } from '../archive/key.ts';
import type { ArchiveRef, CommittedTally, LoadOutcome, VerifiedArchives } from '../contract/activities.ts';
import { type ArchiveFailure, type ColumnNote, maxFailuresKept, type Tally } from '../contract/outcome.ts';
import { clip } from './clip.ts';
import { addColumnNotes, describeColumnNote } from './column-notes.ts';
import { describeForeign } from './foreign.ts';
import type { Load } from './packs.ts';
import { addTallies, emptyTally } from './tally.ts';

/** Notices that travel in results: a table of many archives may have one from each. */
export const maxNoticesKept = 20;

/** Archives that may wait for others: all of them travel in one payload, 170 bytes each. */
export const maxDeferred = 5000;

/** No message of a failure takes more of a payload, in bytes. */
const messageBytes = 500;

/** An archive that waits for others, since it broke a foreign key of the table to itself. */
export interface DeferredRef {
  readonly archive: ArchiveRef;
  /** Its records, which count as failed if no later try restores it. */
  readonly rows: number;
}

/** {@link TableResults} between two runs of a workflow. */
export interface CarriedResults {
  readonly tally: Tally;
  readonly failures: readonly ArchiveFailure[];
  readonly notices: readonly string[];
  readonly moreNotices: number;
  readonly columnNotes: readonly ColumnNote[];
  readonly deferred: readonly DeferredRef[];
  readonly deferredFailures: readonly ArchiveFailure[];
}

/** What the loads of a table came to; its size does not grow with the number of archives. */
export class TableResults {
  #tally: Tally;
  #failures: ArchiveFailure[];
  readonly #notices: Set<string>;
  #moreNotices: number;
  #columnNotes: readonly ColumnNote[];
  #deferred: DeferredRef[];
  #deferredFailures: ArchiveFailure[];

  constructor(carried: CarriedResults | null) {
    this.#tally = carried?.tally ?? emptyTally;
    this.#failures = [...(carried?.failures ?? [])];
    this.#notices = new Set(carried?.notices);
    this.#moreNotices = carried?.moreNotices ?? 0;
    this.#columnNotes = carried?.columnNotes ?? [];
    this.#deferred = [...(carried?.deferred ?? [])];
    this.#deferredFailures = [...(carried?.deferredFailures ?? [])];
  }

  get tally(): Tally {
    return this.#tally;
  }

  /** The first ones in archive order, at most {@link maxFailuresKept}. */
  get failures(): readonly ArchiveFailure[] {
    return this.#failures;
  }

  /** What the user should know: archives of other schemas, the notes on columns, at most {@link maxNoticesKept} others, and a line that counts the rest. */
  get notices(): readonly string[] {
    const foreign = describeForeign(this.#tally.archives);
    const notices = [...foreign, ...this.#columnNotes.map(describeColumnNote), ...this.#notices];
    return this.#moreNotices === 0 ? notices : [...notices, `${this.#moreNotices} more notices.`];
  }

  /** Columns whose values did not all come back as they were, added up. */
  get columnNotes(): readonly ColumnNote[] {
    return this.#columnNotes;
  }

  /** How many archives wait for others. */
  get deferred(): number {
    return this.#deferred.length;
  }

  /** Adds what a load came to. */
  record(load: Load, outcome: LoadOutcome): void {
    this.add(outcome.tally);
    this.#keep(outcome.failures);
    this.#columnNotes = addColumnNotes(this.#columnNotes, outcome.columnNotes);
    for (const { index, failure } of outcome.deferred) {
      const archive = load.archives[index];
      if (archive !== undefined) this.#defer(archive, failure);
    }
  }

  /** Counts archives that were found bad before anything was loaded. */
  addUnsound({ failed, failures }: Pick<VerifiedArchives, 'failed' | 'failures'>): void {
    this.add({ ...emptyTally, archives: { ...emptyTally.archives, failed } });
    this.#keep(failures);
  }

  /** Takes over what the ledger has of archives: loads that were broken off could not tell what they committed. */
  correct({ tally: { archives, rows, bytes }, failures }: CommittedTally): void {
    const { earlier } = this.#tally.archives;
    this.#tally = { archives: { ...archives, earlier }, rows, bytes: Math.max(bytes, this.#tally.bytes) };
    this.#failures = failures.map(shortened);
  }

  add(tally: Tally): void {
    this.#tally = addTallies(this.#tally, tally);
  }

  notice(notices: readonly string[]): void {
    for (const notice of notices) {
      if (this.#notices.has(notice)) continue;
      if (this.#notices.size < maxNoticesKept) this.#notices.add(notice);
      else this.#moreNotices += 1;
    }
  }

  /** Hands over the archives that wait, to be tried again. */
  takeDeferred(): readonly ArchiveRef[] {
    const archives = this.#deferred.map(({ archive }) => archive);
    this.#deferred = [];
    this.#deferredFailures = [];
    return archives;
  }

  /** Counts the archives that wait as failed. */
  giveUpDeferred(): void {
    for (const { archive, rows } of this.#deferred) this.#addFailed(archive, rows);
    this.#keep(this.#deferredFailures);
    this.takeDeferred();
  }

  carry(): CarriedResults {
    return {
      tally: this.#tally,
      failures: this.#failures,
      notices: [...this.#notices],
      moreNotices: this.#moreNotices,
      columnNotes: this.#columnNotes,
      deferred: this.#deferred,
      deferredFailures: this.#deferredFailures,
    };
  }

  #defer(archive: ArchiveRef, failure: ArchiveFailure): void {
    if (this.#deferred.length >= maxDeferred) {
      this.#addFailed(archive, failure.rows);
      this.#keep([failure]);
      return;
    }
    this.#deferred.push({ archive, rows: failure.rows });
    this.#deferredFailures = firstFailures(this.#deferredFailures, [failure]);
  }

  #addFailed({ bytes }: ArchiveRef, rows: number): void {
    this.add({
      bytes,
      archives: { ...emptyTally.archives, failed: 1 },
      rows: { ...emptyTally.rows, failed: rows },
    });
  }

  #keep(failures: readonly ArchiveFailure[]): void {
    this.#failures = firstFailures(this.#failures, failures);
  }
}

/** In archive order, whatever order they came in, so that two restores of the same archives name the same. */
function firstFailures(kept: ArchiveFailure[], more: readonly ArchiveFailure[]): ArchiveFailure[] {
  const last = kept[maxFailuresKept - 1];
  // Mostly they come in order, and then a full list stays as it is.
  const earlier = more.filter(
    ({ archive }) => last === undefined || compareArchiveOrder(archive, last.archive) < 0,
  );
  if (earlier.length === 0) return kept;
  const all = [...kept, ...earlier.map(shortened)];
  return inArchiveOrder(all, ({ archive }) => archive).slice(0, maxFailuresKept);
}

function shortened(failure: ArchiveFailure): ArchiveFailure {
  return { ...failure, message: clip(failure.message, messageBytes) };
}
