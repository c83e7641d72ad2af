import pg from 'pg';

/** What becomes of a statement that PostgreSQL refuses. */
export interface Refusals {
  /** Whether an error is about the statement itself; any other ends all of them. */
  isOwn(error: unknown): boolean;
  /** Called in the order of the statements; what it throws ends all of them. */
  refused(place: number, error: unknown): void;
}

/**
 * Runs statements within the transaction that is open, all by one round trip. Where PostgreSQL refuses one, it does
 * not say which: that is found by halves, and the others are done.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function runMany(
  client: pg.Client,
  statements: readonly string[],
  refusals: Refusals,
): Promise<void> {
  await runRange(client, statements, 0, statements.length, refusals);
}

/** @param end place behind the last one */
async function runRange(
  client: pg.Client,
  statements: readonly string[],
  first: number,
  end: number,
  refusals: Refusals,
): Promise<void> {
  if (first === end) return;
  await client.query('savepoint many');
  try {
    await client.query([...statements.slice(first, end), 'release savepoint many'].join(';\n'));
    return;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || !refusals.isOwn(error)) throw error;
    await client.query('rollback to savepoint many; release savepoint many');
    if (end - first === 1) return refusals.refused(first, error);
  }
  const middle = Math.floor((first + end) / 2);
  await runRange(client, statements, first, middle, refusals);
  await runRange(client, statements, middle, end, refusals);
}
