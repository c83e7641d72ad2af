/** Rows of a stage, by the numbers of the first and the last one. */
export interface StageRange {
  readonly first: number;
  readonly last: number;
  /** The line of the archive that a row came from, for errors. */
  lineOf?(row: number): number;
}

/**
 * Cuts a range into steps, in order.
 *
 * @param batchSize rows of a step at the most; null: all
 */
export function stepsOf(range: StageRange, batchSize: number | null): StageRange[] {
  const { first, last } = range;
  if (batchSize === null) return [range];
  return Array.from({ length: Math.ceil((last - first + 1) / batchSize) }, (_, place) => {
    const start = first + place * batchSize;
    return { first: start, last: Math.min(start + batchSize - 1, last) };
  });
}
