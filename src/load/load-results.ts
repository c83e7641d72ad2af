import type { ArchiveRef, DeferredArchive, LoadOutcome } from '../contract/activities.ts';
import {
  type ArchiveFailure,
  type ColumnNote,
  maxFailuresKept,
  type RowCounts,
  type Tally,
} from '../contract/outcome.ts';
import type { DecidedArchive } from '../postgres/ledger.ts';
import { addColumnNotes } from '../restore/column-notes.ts';
import { addTallies, emptyTally } from '../restore/tally.ts';

/** What a load has decided so far. */
export class LoadResults {
  #tally: Tally = emptyTally;
  readonly #failures: ArchiveFailure[] = [];
  readonly #deferred: DeferredArchive[] = [];
  #columnNotes: readonly ColumnNote[] = [];

  outcome(): LoadOutcome {
    return {
      tally: this.#tally,
      failures: this.#failures.slice(0, maxFailuresKept),
      deferred: this.#deferred,
      columnNotes: this.#columnNotes,
    };
  }

  addRestored(
    { bytes }: Pick<ArchiveRef, 'bytes'>,
    rows: RowCounts,
    columnNotes: readonly ColumnNote[],
  ): void {
    this.#columnNotes = addColumnNotes(this.#columnNotes, columnNotes);
    this.#add({ archives: { restored: 1, earlier: 0, failed: 0 }, rows, bytes });
  }

  addForeign({ bytes }: Pick<ArchiveRef, 'bytes'>, schema: string): void {
    this.#add({ ...emptyTally, archives: { ...emptyTally.archives, foreign: { [schema]: 1 } }, bytes });
  }

  addEarlier(archives: readonly { readonly bytes: number }[]): void {
    for (const { bytes } of archives) {
      this.#add({ ...emptyTally, archives: { restored: 0, earlier: 1, failed: 0 }, bytes });
    }
  }

  /**
   * Adds what the ledger says of an archive.
   *
   * @param index its place in the load
   */
  addDecided(archive: DecidedArchive, index: number): void {
    const { failure, foreignSchema, bytes } = archive;
    if (foreignSchema !== null) this.addForeign(archive, foreignSchema);
    else if (failure === null) this.addRestored(archive, archive.counts, archive.columnNotes);
    else if (archive.deferred) this.#deferred.push({ index, failure });
    else this.addFailed({ bytes }, failure);
  }

  addFailed({ bytes }: Pick<ArchiveRef, 'bytes'>, failure: ArchiveFailure): void {
    this.#failures.push(failure);
    this.#add({
      archives: { restored: 0, earlier: 0, failed: 1 },
      rows: { ...emptyTally.rows, failed: failure.rows },
      bytes,
    });
  }

  #add(tally: Tally): void {
    this.#tally = addTallies(this.#tally, tally);
  }
}
