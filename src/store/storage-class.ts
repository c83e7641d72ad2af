/** Classes whose objects cannot be read until a copy of them was thawed. */
const frozenClasses: ReadonlySet<string> = new Set(['GLACIER', 'DEEP_ARCHIVE']);

/** A storage class of which a listing says that its objects have to be thawed, and how many there are. */
export interface FrozenObjects {
  /** `GLACIER` or `DEEP_ARCHIVE`. */
  readonly storageClass: string;
  readonly objects: number;
}

/**
 * Objects that are frozen by what a listing tells. It does not tell whether a thawed copy is there by now, nor
 * of the archive tiers of INTELLIGENT_TIERING: only reading does.
 */
export function frozenObjects(objects: Iterable<{ readonly storageClass: string | null }>): FrozenObjects[] {
  const counts = new Map<string, number>();
  for (const { storageClass } of objects) {
    if (storageClass === null || !frozenClasses.has(storageClass)) continue;
    counts.set(storageClass, (counts.get(storageClass) ?? 0) + 1);
  }
  return [...counts].map(([storageClass, count]) => ({ storageClass, objects: count }));
}

/** For people: a line for each class. */
export function describeFrozen(frozen: readonly FrozenObjects[]): string[] {
  return frozen.map(({ storageClass, objects }) => {
    const archives = objects === 1 ? '1 archive is' : `${objects} archives are`;
    return `Note: ${archives} in ${storageClass} and must be thawed first (aws s3api restore-object), unless that was done`;
  });
}
