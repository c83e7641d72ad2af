import { findRecordedRestore } from '../client/recorded-restore.ts';
import { findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { StoredRestore } from '../postgres/restores.ts';
import type { Printer } from './printer.ts';

/** What a restore is looked for by. */
export interface RestoreSearch {
  readonly config: ThawConfig;
  readonly restoreId: string;
  /** Null: the restore is looked for in all. */
  readonly database: string | null;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
}

/**
 * What the target databases have recorded of a restore.
 *
 * @throws ThawError `InputInvalid` where no database knows it
 */
export async function findRestore(search: RestoreSearch): Promise<StoredRestore> {
  const { config, env, restoreId, database, printer } = search;
  const only = database === null ? null : findDatabase(config, database).name;
  const { restores, unanswered } = await findRecordedRestore(config, env, restoreId, only);
  const [restore] = restores;
  if (restore !== undefined) return restore;
  for (const { database: name, error } of unanswered) {
    printer.aside(`${name} could not be asked: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new ThawError('InputInvalid', `no restore ${restoreId} is known`, {
    object: restoreId,
    hint: 'See `thaw status` without an id for the latest ones.',
  });
}
