import type pg from 'pg';
import type { DumpRequest } from '../../contract/dump-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { readDatabase } from '../../postgres/databases.ts';
import { checkReplaceable } from '../swap/check-target.ts';

/**
 * Looks whether a dump may go where it is to go.
 *
 * @param client a session in the maintenance database
 * @returns whether the database is there
 * @throws ThawError `TargetMissing`, and what keeps it from being replaced, as {@link checkReplaceable}
 */
export async function checkTarget(
  client: pg.Client,
  { database, create, owner, mode }: Pick<DumpRequest, 'database' | 'create' | 'owner' | 'mode'>,
): Promise<boolean> {
  const found = await readDatabase(client, database);
  if (mode !== 'into-existing') await checkReplaceable(client, { database, create, owner });
  else if (found === null && !create) {
    throw new ThawError('TargetMissing', `There is no database ${database}.`, {
      object: database,
      hint: 'Correct the name, or have it made with --create.',
    });
  }
  return found !== null;
}
