import pg from 'pg';
import { databaseError } from './sqlstate.ts';

/** A statement, and what it brings, for whom it is told that it failed: `the owner of table public.t`. */
export interface Statement {
  readonly what: string;
  readonly sql: string;
  /** What is done instead where it fails; null: nothing. */
  readonly otherwise?: string | null;
}

/** Statements that are sent at once: a round trip each would cost more than the statement. */
const chunkSize = 100;

/**
 * Runs statements that may fail each for itself, in order; call it outside a transaction.
 *
 * @returns what failed, and why
 * @throws ThawError of the retryable kinds, where it is not the statement that is to blame
 */
export async function applyStatements(
  client: pg.Client,
  statements: readonly Statement[],
): Promise<string[]> {
  const failures: string[] = [];
  for (let at = 0; at < statements.length; at += chunkSize) {
    const chunk = statements.slice(at, at + chunkSize);
    // Sent together they are one transaction, of which nothing is left when one fails.
    const together = chunk.map(({ sql }) => sql).join(';\n');
    if ((await attempt(client, together)) === null) continue;
    for (const statement of chunk) failures.push(...(await apply(client, statement, attempt)));
  }
  return failures;
}

/** As {@link applyStatements}, within a transaction, which goes on where one fails. */
export async function applyInTransaction(
  client: pg.Client,
  statements: readonly Statement[],
): Promise<string[]> {
  const failures: string[] = [];
  const guarded = async (_: pg.Client, sql: string) => {
    await client.query('savepoint statement');
    const failure = await attempt(client, sql);
    if (failure !== null) await client.query('rollback to savepoint statement');
    await client.query('release savepoint statement');
    return failure;
  };
  for (const statement of statements) failures.push(...(await apply(client, statement, guarded)));
  return failures;
}

async function apply(
  client: pg.Client,
  { what, sql, otherwise }: Statement,
  run: (client: pg.Client, sql: string) => Promise<string | null>,
): Promise<string[]> {
  const failure = await run(client, sql);
  if (failure === null) return [];
  const isDone = otherwise ? (await run(client, otherwise)) === null : false;
  return [`Not carried over: ${what} (${failure})${isDone ? `; instead: ${otherwise}` : ''}.`];
}

/** Gives what PostgreSQL says against it; null: it is done. */
async function attempt(client: pg.Client, sql: string): Promise<string | null> {
  try {
    await client.query(sql);
    return null;
  } catch (error) {
    const classified = databaseError(error, { object: 'the new database' });
    if (classified.retryable || !(error instanceof pg.DatabaseError)) throw classified;
    return error.message;
  }
}
