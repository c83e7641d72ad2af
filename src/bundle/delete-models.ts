import pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import { keepAll, keptImages } from '../postgres/kept-images.ts';
import { countRows, deleteRows, lockAgainstWrites, readDependents } from '../postgres/replaced-models.ts';
import { isSqlState, sqlState } from '../postgres/sqlstate.ts';
import { aboutModels, type ModelLoad } from './model-load.ts';

/** Tables that one statement is about. */
const batchSize = 100;

const replaceBoth = 'Replace both, or use another conflict_strategy.';

/** How the records of models are deleted. */
export interface DeleteOptions {
  readonly restoreId: string;
  /** Models that the transaction has made: they have none. */
  readonly created: ReadonlySet<string>;
  /** Keeps them, so that it can be undone. */
  readonly undoable: boolean;
}

/**
 * Deletes the records of models, those first that point at others, and gives how many there were.
 *
 * @throws ThawError `ConflictFound` where that would change or delete records of another table
 */
export async function deleteAll(
  client: pg.Client,
  loads: readonly ModelLoad[],
  { restoreId, created, undoable }: DeleteOptions,
): Promise<Map<string, number>> {
  const [dependent] = await readDependents(
    client,
    loads.map(({ target }) => target.oid),
  );
  if (dependent !== undefined) {
    throw new ThawError(
      'ConflictFound',
      `${dependent.parent}: to delete its records would change or delete those of ${dependent.name}, which is not replaced.`,
      { object: dependent.parent, hint: replaceBoth },
    );
  }
  const filled = loads.filter(({ file }) => !created.has(file.model));
  const counts = new Map<string, number>();
  const inBatches = async (
    all: readonly ModelLoad[],
    work: (schema: string, tables: readonly string[]) => Promise<void>,
  ) => {
    for (let from = 0; from < all.length; from += batchSize) {
      const batch = all.slice(from, from + batchSize);
      const tables = batch.map(({ target }) => target.table);
      await aboutModels(batch, () => work(batch[0]?.target.schema ?? '', tables));
    }
  };
  // Counted before any is deleted: those of one model may go with those of another.
  await inBatches(filled, async (schema, tables) => {
    await lockAgainstWrites(client, schema, tables);
    const found = await countRows(client, schema, tables);
    tables.forEach((table, place) => {
      counts.set(table, found[place] ?? 0);
    });
  });
  // Those of one may go with those of another: all are kept before.
  for (const load of undoable ? filled : []) {
    const { target } = load;
    const kept = await aboutModels([load], () => keepAll(client, target, keptImages(target, restoreId)));
    if (kept !== counts.get(target.table)) throw inheriting(target);
  }
  await inBatches(filled.toReversed(), async (schema, tables) => {
    try {
      await deleteRows(client, schema, tables);
    } catch (raw) {
      throw pointedAt(raw) ?? raw;
    }
  });
  return counts;
}

/** Says who refuses a deletion; null for any other error. */
function pointedAt(raw: unknown): ThawError | null {
  if (!(raw instanceof pg.DatabaseError) || !isSqlState(raw, sqlState.foreignKeyViolation)) return null;
  const object = `${raw.schema}.${raw.table}`;
  return new ThawError(
    'ConflictFound',
    `${object}: its records point at some that would be deleted, and it is not replaced (constraint ${raw.constraint}).`,
    { object, hint: replaceBoth },
  );
}

function inheriting({ schema, table }: TargetTable): ThawError {
  const object = `${schema}.${table}`;
  return new ThawError(
    'SchemaIncompatible',
    `${object}: tables that inherit from it have records, which would be deleted with its own.`,
    { object, hint: 'Replace it without undoable, or delete those first.' },
  );
}
