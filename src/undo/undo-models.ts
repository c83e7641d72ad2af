import type pg from 'pg';
import { readForeignKeys } from '../postgres/foreign-keys.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import {
  type Doomed,
  dropColumns,
  dropMadeSchema,
  dropTables,
  isThere,
  lockTables,
  type MadeObjects,
  readMadeObjects,
  reasonToStay,
  recordLeft,
  recordTaken,
} from '../postgres/taken-objects.ts';
import { releaseTarget, type Taker, takeTargets } from '../postgres/targets.ts';
import { inTransaction, withLockTimeout } from '../postgres/transaction.ts';
import { parentsFirst } from '../restore/parents-first.ts';

/** Takes away what a restore has made. */
export interface ModelsUndo {
  readonly restoreId: string;
  /** As the undo takes tables. */
  readonly taker: Taker;
  readonly signal: AbortSignal;
}

/**
 * Takes the fields and models away that a restore has made, as long as they are as they were made, hold nothing and
 * nobody needs them; what is left is written down with the reason. Each table, or all of a circle, is a transaction:
 * another call goes on where this one was broken off.
 *
 * @param client in no transaction
 * @throws errors of the moment
 */
export async function takeAwayModels(client: pg.Client, undo: ModelsUndo): Promise<void> {
  const made = await readMadeObjects(client, undo.restoreId);
  // A field may refer to a model that goes, and a model to one that goes after it.
  for (const table of made.filter(({ isWhole }) => !isWhole)) await takeAway(client, undo, [table]);
  const models = made.filter(({ isWhole }) => isWhole);
  for (const group of await childrenFirst(client, models)) await takeAway(client, undo, group);
  await inTransaction(client, async () => {
    const why = await dropMadeSchema(client, undo.restoreId);
    if (why !== null) await recordLeft(client, undo.restoreId, { oid: 0, column: null }, why);
  });
}

async function childrenFirst(client: pg.Client, models: readonly MadeObjects[]): Promise<MadeObjects[][]> {
  const keys = await readForeignKeys(client, models);
  const nameOf = ({ schema, table }: Pick<MadeObjects, 'schema' | 'table'>) => `${schema}.${table}`;
  const byName = new Map(models.map((model) => [nameOf(model), model]));
  const parents = new Map<string, string[]>();
  for (const { child, parent } of keys) {
    parents.set(nameOf(child), [...(parents.get(nameOf(child)) ?? []), nameOf(parent)]);
  }
  return parentsFirst([...byName.keys()].map((name) => ({ name, parents: parents.get(name) ?? [] })))
    .toReversed()
    .map((group) => group.flatMap((name) => byName.get(name) ?? []));
}

/** Takes away tables that refer to each other, or fields of one. */
async function takeAway(
  client: pg.Client,
  { restoreId, taker, signal }: ModelsUndo,
  tables: readonly MadeObjects[],
): Promise<void> {
  signal.throwIfAborted();
  const doomed = tables.flatMap(({ oid, schema, table, isWhole, columns }): Doomed[] =>
    isWhole
      ? [{ oid, schema, table, column: null }]
      : columns.map((column) => ({ oid, schema, table, column })),
  );
  const leaveAll = async (why: string) => {
    for (const each of doomed) await recordLeft(client, restoreId, each, why);
  };
  for (const table of tables) {
    if (!(await isThere(client, table))) return leaveAll('the table was renamed, dropped or made anew');
  }
  try {
    await inTransaction(client, async () => {
      const held = await takeTargets(
        client,
        taker,
        tables.map(({ oid, schema, table }) => ({ oid, schema, table, ordered: true })),
      );
      await withLockTimeout(client, () => lockTables(client, tables));
      let going = doomed;
      const reasons = new Map<Doomed, string>();
      // What stays may need what would go.
      for (let before = -1; before !== going.length; ) {
        before = going.length;
        for (const each of going) {
          const why = await reasonToStay(client, restoreId, each, going);
          if (why !== null) reasons.set(each, why);
        }
        going = going.filter((each) => !reasons.has(each));
      }
      for (const [each, why] of reasons) await recordLeft(client, restoreId, each, why);
      await dropColumns(
        client,
        going.filter(({ column }) => column !== null),
      );
      await dropTables(
        client,
        going.filter(({ column }) => column === null),
      );
      for (const each of going) await recordTaken(client, restoreId, each);
      for (const target of held) await releaseTarget(client, taker.restoreId, target);
    });
  } catch (raw) {
    const error = databaseError(raw, { object: tables.map(({ table }) => table).join(', ') });
    if (error.retryable) throw error;
    await leaveAll(error.message);
  }
}
