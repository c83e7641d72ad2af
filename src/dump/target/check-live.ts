import type pg from 'pg';
import { ThawError } from '../../contract/thaw-error.ts';
import { holdsControlSchema } from '../../postgres/database-obstacles.ts';

/**
 * Looks whether a live database holds what must not be replaced with it: the records of the API, of which the run
 * that replaces it is one.
 *
 * @param client a session in the live database
 * @throws ThawError `InputInvalid`
 */
export async function checkLive(client: pg.Client, database: string): Promise<void> {
  if (!(await holdsControlSchema(client))) return;
  throw new ThawError(
    'InputInvalid',
    `Database ${database} holds schema thaw_api, in which the API keeps its runs: they would go with it.`,
    {
      object: database,
      hint: 'Give the API a database of its own (THAW_DATABASE_URL), then drop schema thaw_api here; or restore --into another database.',
    },
  );
}
