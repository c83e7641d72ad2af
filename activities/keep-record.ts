import type pg from 'pg';
import { ThawError } from '../src/contract/thaw-error.ts';
import { ensureSchema } from '../src/postgres/schema.ts';

/** What is said where nothing may be kept: restores go on without. */
export const notKept =
  'Nothing is kept of this restore, since the user may not make the schema thaw in the maintenance database, or ' +
  'not write to it (`thaw schema --sql` prints it): `thaw status` will not know it for long.';

/**
 * Writes into the schema `thaw` of a maintenance database.
 *
 * @returns false where the user may not
 */
export async function keepRecord(client: pg.Client, write: () => Promise<void>): Promise<boolean> {
  try {
    await ensureSchema(client);
    await write();
    return true;
  } catch (error) {
    if (error instanceof ThawError && error.code === 'PermissionDenied') return false;
    throw error;
  }
}
