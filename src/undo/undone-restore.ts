import type pg from 'pg';
import { isEnded } from '../contract/progress.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { readUndoableImport } from '../postgres/made-objects.ts';
import { readRestore } from '../postgres/restores.ts';

/** A restore that is to be taken back, of archives or of a bundle. */
export interface UndoneRestore {
  readonly restoreId: string;
  /** `databases[].name` */
  readonly database: string;
  readonly isBundle: boolean;
  /** It was asked to keep what it changes. */
  readonly undoable: boolean;
  /** Triggers did not fire for it. */
  readonly disableTriggers: boolean;
  readonly isEnded: boolean;
}

/** Reads a restore that may be taken back; null where the database does not know it. */
export async function readUndone(client: pg.Client, restoreId: string): Promise<UndoneRestore | null> {
  const restore = await readRestore(client, restoreId);
  if (restore !== null) {
    const { database, options } = restore.request;
    const { undoable = false, disableTriggers } = options;
    return {
      restoreId,
      database,
      isBundle: false,
      undoable,
      disableTriggers,
      isEnded: isEnded(restore.state),
    };
  }
  const bundle = await readUndoableImport(client, restoreId);
  if (bundle === null) return null;
  // Its run is in another database; while it works on tables, it holds them.
  return {
    ...{ restoreId, database: bundle.database, isBundle: true },
    ...{ undoable: true, disableTriggers: false, isEnded: false },
  };
}

/** Reads a restore that is to be undone. @throws ThawError `InputInvalid` where the database does not know it */
export async function undoneRestore(client: pg.Client, restoreId: string): Promise<UndoneRestore> {
  const restore = await readUndone(client, restoreId);
  if (restore !== null) return restore;
  throw unknownRestore(restoreId);
}

/** No database knows the restore. */
export function unknownRestore(restoreId: string): ThawError {
  return new ThawError('InputInvalid', `no restore ${restoreId} is known`, {
    object: restoreId,
    hint: 'See `thaw status` without an id for the latest ones.',
  });
}
