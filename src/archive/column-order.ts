/** Tells whether two lists of columns are the same. */
export function isSameOrder(some: readonly number[], others: readonly number[]): boolean {
  return some.length === others.length && some.every((column, index) => column === others[index]);
}

/** Tells whether two lists hold the same columns in any order; none has one twice. */
export function isSameSet(some: readonly number[], others: readonly number[]): boolean {
  return some.length === others.length && some.every((column) => others.includes(column));
}
