import type pg from 'pg';

/** How long a change of the target's indexes waits for a lock on it: whoever comes later waits behind us. */
export const lockTimeout = '15s';

/**
 * Does something in a transaction: committed, or rolled back where it throws.
 *
 * @param begin where there is more to its beginning
 */
export async function inTransaction<Result>(
  client: pg.Client,
  work: () => Promise<Result>,
  begin: () => Promise<unknown> = () => client.query('begin'),
): Promise<Result> {
  await begin();
  try {
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw error;
  }
}

/**
 * Does something in the transaction that is open, for whose locks it waits no longer than {@link lockTimeout}.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function withLockTimeout<Result>(
  client: pg.Client,
  work: () => Promise<Result>,
): Promise<Result> {
  await client.query(`set local lock_timeout = '${lockTimeout}'`);
  const result = await work();
  await client.query('set local lock_timeout = 0');
  return result;
}

/** Has the transaction that is open give up soon where it has to wait for a lock, as there is another way that waits. */
export async function waitBriefly(client: pg.Client): Promise<void> {
  await client.query(`set local lock_timeout = '1s'`);
}
