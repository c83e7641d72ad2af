import { isCancellation } from '@temporalio/workflow';
import type { DumpOutcome, DumpProof } from '../src/contract/dump-activities.ts';
import type { DumpRef } from '../src/contract/dump-request.ts';
import { errorTraits } from '../src/contract/error-code.ts';
import type { TableError } from '../src/contract/outcome.ts';
import { isAboutDump } from '../src/restore/dump-faults.ts';
import type { Notices } from '../src/restore/notices.ts';
import { toFailure, toTableError } from './failures.ts';

/** Reads a dump to its end. */
type Prove = (dump: DumpRef) => Promise<DumpProof>;

/** The dumps that come into question, the chosen one first, then those before it: the first good one is restored. */
export class DumpCandidates {
  #dumps: readonly DumpRef[] = [];
  #dump: DumpRef | null = null;
  #proof: DumpProof | null = null;
  readonly #passedOver: DumpOutcome['passedOver'][number][] = [];

  /** They were found. */
  take(dumps: readonly DumpRef[]): void {
    this.#dumps = dumps;
    this.#dump = dumps[0] ?? null;
  }

  /** The one that is restored, or was to be. */
  get dump(): DumpRef | null {
    return this.#dump;
  }

  /** What was found in it; null until it is proved. */
  get proof(): DumpProof | null {
    return this.#proof;
  }

  /** @throws ApplicationFailure `ArchiveNotFound` where there was no dump to prove */
  get proofOrThrow(): DumpProof {
    if (this.#proof === null) throw toFailure({ ...noDump, hint: errorTraits.ArchiveNotFound.hint });
    return this.#proof;
  }

  /** Those that were not good, newest first. */
  get passedOver(): DumpOutcome['passedOver'] {
    return this.#passedOver;
  }

  /**
   * Proves them until one is good.
   *
   * @param fallback how many may be passed over
   * @throws what the last of them is not good for, with a hint at the one that is
   */
  async prove(prove: Prove, fallback: number, notices: Notices): Promise<void> {
    for (const [place, dump] of this.#dumps.entries()) {
      this.#dump = dump;
      try {
        const proof = await prove(dump);
        this.#proof = proof;
        notices.add(...proof.notices);
        return;
      } catch (error) {
        const told = faultOf(error);
        this.#passedOver.push({ key: dump.key, reason: `${told.code}: ${told.message}` });
        const next = this.#dumps[place + 1];
        if (place >= fallback || next === undefined) throw await this.#notGood(prove, told, place);
        notices.add(`${dump.key} is not good; ${next.key} is taken in its place.`);
      }
    }
  }

  /** What the chosen dump is not good for, and which earlier one is. */
  async #notGood(prove: Prove, told: TableError, place: number): Promise<Error> {
    for (const [further, dump] of this.#dumps.slice(place + 1).entries()) {
      try {
        await prove(dump);
        const fallback = place + further + 1;
        const when = dump.takenAt ?? dump.modifiedAt;
        const hint = `The dump before it that is good is ${dump.key} of ${when}: --fallback ${fallback} takes it.`;
        return toFailure({ ...told, hint });
      } catch (error) {
        // It is not good either.
        faultOf(error);
      }
    }
    return toFailure({ ...told, hint: `No dump before it that was looked at is good. ${told.hint}` });
  }
}

/** What a dump is not good for. @throws what says nothing of the dump */
function faultOf(error: unknown): TableError {
  const told = toTableError(error);
  if (isCancellation(error) || !isAboutDump(told.code)) throw error;
  return told;
}

const noDump = { code: 'ArchiveNotFound', message: 'There is no such dump.' } as const;
