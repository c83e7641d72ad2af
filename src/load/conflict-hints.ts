/** Which loads go together: those of one restore into one table. */
export interface HintScope {
  readonly restoreId: string;
  readonly target: { readonly oid: number };
}

/**
 * Remembers, for the loads of one worker, where keys were in the table already: the next archives are
 * likely to meet some too, and copying them straight in, only to roll back, would be work done twice.
 */
export class ConflictHints {
  readonly #conflicts = new Set<string>();

  expectsConflict(scope: HintScope): boolean {
    return this.#conflicts.has(keyOf(scope));
  }

  foundConflict(scope: HintScope): void {
    this.#conflicts.add(keyOf(scope));
  }

  /** A staged load met no conflict: the next one may go straight in again. */
  foundNone(scope: HintScope): void {
    this.#conflicts.delete(keyOf(scope));
  }
}

function keyOf({ restoreId, target }: HintScope): string {
  return `${restoreId}/${target.oid}`;
}
