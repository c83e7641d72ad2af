import { askDatabases, findRecordedRestore, type RecordedRestores } from '../client/recorded-restore.ts';
import { findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { StoredRestore } from '../postgres/restores.ts';
import { readUndone, type UndoneRestore, unknownRestore } from '../undo/undone-restore.ts';
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
  const { config, env, restoreId } = search;
  return onlyOne(search, await findRecordedRestore(config, env, restoreId, databaseOf(search)));
}

/**
 * What they have recorded of a restore that is to be taken back, of archives or of a bundle.
 *
 * @throws ThawError `InputInvalid` where no database knows it
 */
export async function findUndone(search: RestoreSearch): Promise<UndoneRestore> {
  const { config, env, restoreId } = search;
  const found = await askDatabases(config, env, databaseOf(search), async (client) => {
    const restore = await readUndone(client, restoreId);
    return restore === null ? [] : [restore];
  });
  return onlyOne(search, found);
}

function databaseOf({ config, database }: RestoreSearch): string | null {
  return database === null ? null : findDatabase(config, database).name;
}

function onlyOne<Restore>(
  { restoreId, printer }: RestoreSearch,
  { restores, unanswered }: RecordedRestores<Restore>,
): Restore {
  const [restore] = restores;
  if (restore !== undefined) return restore;
  for (const { database: name, error } of unanswered) {
    printer.aside(`${name} could not be asked: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw unknownRestore(restoreId);
}
