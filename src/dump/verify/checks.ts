import type pg from 'pg';
import type { DumpCheck } from '../../contract/dump-activities.ts';
import { askWhetherTrue } from '../../postgres/check-sql.ts';
import { databaseError, isSqlState, sqlState } from '../../postgres/sqlstate.ts';

/** Seconds that a statement of a check may take. */
export const checkSeconds = 300;

/**
 * Asks the statements of `--check` one after another; each has to give one row whose first column is true. Neither
 * a statement nor what it gives is told: either may hold rows.
 *
 * @throws ThawError where the connection is lost
 */
export async function runChecks(
  client: pg.Client,
  checks: readonly string[],
  seconds = checkSeconds,
): Promise<DumpCheck[]> {
  const done: DumpCheck[] = [];
  for (const [place, sql] of checks.entries()) {
    const name = `check ${place + 1}`;
    done.push({ name, ...(await runCheck(client, name, sql, seconds)) });
  }
  return done;
}

async function runCheck(
  client: pg.Client,
  name: string,
  sql: string,
  seconds: number,
): Promise<Pick<DumpCheck, 'outcome' | 'detail'>> {
  try {
    const answer = await askWhetherTrue(client, sql, seconds);
    return answer === 'true'
      ? { outcome: 'passed', detail: 'It is true.' }
      : { outcome: 'failed', detail: answers[answer] };
  } catch (error) {
    if (isSqlState(error, sqlState.queryCanceled)) {
      return { outcome: 'failed', detail: `It takes longer than ${seconds} s.` };
    }
    const known = databaseError(error, { object: name });
    if (known.sqlstate === undefined || known.retryable) throw known;
    return { outcome: 'failed', detail: `PostgreSQL refuses it (SQLSTATE ${known.sqlstate}).` };
  }
}

const answers = {
  'not true': 'It is not true.',
  'no boolean': 'Its first column is no boolean.',
  'no row': 'It gives no row.',
  'several rows': 'It gives more than one row.',
} as const;
