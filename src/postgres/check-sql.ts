import type pg from 'pg';

/** What a statement that is to be true gave. */
export type CheckAnswer = 'true' | 'not true' | 'no boolean' | 'no row' | 'several rows';

/**
 * Asks whether a statement is true: it has to give one row whose first column is. It runs in a read-only
 * transaction, as the query of a cursor, so that it can be nothing but one query, and of its rows only two are read.
 *
 * @param seconds it may take
 * @throws what PostgreSQL answers, raw
 */
export async function askWhetherTrue(client: pg.Client, sql: string, seconds: number): Promise<CheckAnswer> {
  await client.query('begin isolation level repeatable read read only');
  try {
    await client.query(`set local statement_timeout = ${Math.ceil(seconds * 1000)}`);
    // A statement with values is sent alone: the protocol refuses what comes after a semicolon.
    await client.query({ text: `declare thaw_check no scroll cursor for ${sql}`, values: [], ...extended });
    const { rows } = await client.query<unknown[]>({ text: 'fetch 2 from thaw_check', rowMode: 'array' });
    return answerOf(rows);
  } finally {
    await client.query('rollback').catch(() => {});
  }
}

/** The driver sends a statement without values by the simple protocol otherwise. */
const extended = { queryMode: 'extended' } as const;

function answerOf(rows: readonly (readonly unknown[])[]): CheckAnswer {
  if (rows.length !== 1) return rows.length === 0 ? 'no row' : 'several rows';
  const value = rows[0]?.[0];
  if (value === true) return 'true';
  return value === false || value === null ? 'not true' : 'no boolean';
}
