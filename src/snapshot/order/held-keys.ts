import pg from 'pg';
import type { SnapshotTableResult } from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { KeyCheck, type KeyViolations } from '../../postgres/key-violations.ts';
import { type FoundTable, readMembers, readTouchingKeys } from '../../postgres/snapshot-foreign-keys.ts';
import { databaseError, sqlState } from '../../postgres/sqlstate.ts';
import { alterKey, dropKeys, readTakenKeys, type TakenKey } from '../../postgres/taken-keys.ts';
import { withLockTimeout } from '../../postgres/transaction.ts';
import { type PlannedKey, planKeys } from './key-plan.ts';
import { nameOf } from './table-order.ts';

/** So many rows are named of a key, and so many keys, when rows break them. */
export const mostNamed = 5;

/** Foreign keys that check nothing and do nothing until they are put back. */
export interface HeldKeys {
  readonly planned: readonly PlannedKey[];
  readonly taken: readonly TakenKey[];
  /** Of those that are taken off. */
  readonly checks: readonly KeyCheck[];
}

/**
 * How the foreign keys of tables, and those to them, would be held: see `planLocks`.
 *
 * @param changes what is to change in each of the tables, in their order; none: little
 * @param slow see `planKeys`
 */
export async function planForeignKeys(
  client: pg.Client,
  tables: readonly FoundTable[],
  changes: readonly SnapshotTableResult[] = [],
  slow?: number,
): Promise<PlannedKey[]> {
  const members = await readMembers(client, tables);
  const byOid = new Map(
    tables.flatMap(({ oid }, place) => {
      const change = changes[place];
      return change === undefined ? [] : [[oid, change] as const];
    }),
  );
  return planKeys(await readTouchingKeys(client, [...members.keys()]), members, byOid, slow);
}

/**
 * Keeps the foreign keys of tables, and those of any table to them, from checking and from doing anything, in the
 * transaction that is open: a crash puts them back by itself. Rows may then be written in any order. The tables are
 * locked already (`share row exclusive`), so that nobody adds a key meanwhile.
 *
 * @param record writes down durably, on a connection of its own, what is about to be taken off
 * @param changes what is to change in each of the tables, in their order; none: little
 * @param slow see `planKeys`
 * @throws ThawError `SchemaIncompatible` for a key that could not be put back as it is; `PermissionDenied` where a
 * table is not the user's own; `LockTimeout`
 */
export async function holdForeignKeys(
  client: pg.Client,
  tables: readonly FoundTable[],
  record: (keys: readonly TakenKey[]) => Promise<void>,
  changes: readonly SnapshotTableResult[] = [],
  slow?: number,
): Promise<HeldKeys> {
  try {
    const planned = await planForeignKeys(client, tables, changes, slow);
    const off = planned.flatMap(({ key, hold }) => (hold === 'taken off' ? key : []));
    const taken = await readTakenKeys(
      client,
      off.map(({ oid }) => oid),
    );
    if (taken.length > 0) await record(taken);
    const checks: KeyCheck[] = [];
    for (const key of off) {
      const check = await KeyCheck.read(client, key);
      if (!key.validated) await check.remember(client);
      checks.push(check);
    }
    // All, since a name does not tell one: keys of several tables may share it, and not all may be deferred.
    await client.query('set constraints all deferred');
    await withLockTimeout(client, async () => {
      for (const { key, hold } of planned) if (hold === 'made deferrable') await alterKey(client, key, true);
      await dropKeys(client, taken);
    });
    return { planned, taken, checks };
  } catch (error) {
    throw databaseError(error, { object: 'foreign keys', stage: 'merge' });
  }
}

/**
 * Checks what was held, deferred unique keys too, and puts it back as it was. Keys that were not validated are again
 * not, but no more rows break them than before.
 *
 * @throws ThawError `RowRejected` naming rows by their keys; the transaction is to be rolled back then
 */
export async function putBackForeignKeys(client: pg.Client, held: HeldKeys): Promise<void> {
  const { planned, taken, checks } = held;
  try {
    await namingRows(client, held, () => client.query('set constraints all immediate'));
    for (const { key, hold } of planned) if (hold === 'made deferrable') await alterKey(client, key, false);
    for (const { statements } of taken) {
      await namingRows(client, held, () => client.query(statements.join(';\n')));
    }
    // PostgreSQL does not look at what is there when it adds a key that is not validated.
    for (const check of checks) {
      const grown = check.key.validated ? null : await check.grown(client, mostNamed);
      if (grown !== null) throw brokenKeys([grown]);
    }
  } catch (error) {
    throw databaseError(error, { object: 'foreign keys', stage: 'merge' });
  }
}

/** PostgreSQL names one row at the most: when it finds one, they are looked for. */
async function namingRows(client: pg.Client, held: HeldKeys, action: () => Promise<unknown>): Promise<void> {
  await client.query('savepoint thaw_keys');
  try {
    await action();
    await client.query('release savepoint thaw_keys');
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== sqlState.foreignKeyViolation) throw error;
    await client.query('rollback to savepoint thaw_keys');
    const broken = await findBroken(client, held, error.constraint);
    throw broken.length === 0 ? error : brokenKeys(broken);
  }
}

/** @param named the key that PostgreSQL named: of one that is not validated, rows may have broken it before */
async function findBroken(
  client: pg.Client,
  { planned, checks }: HeldKeys,
  named: string | undefined,
): Promise<KeyViolations[]> {
  const taken = new Map(checks.map((check) => [check.key.oid, check]));
  const broken: KeyViolations[] = [];
  for (const { key } of planned) {
    const check = taken.get(key.oid);
    if (check === undefined && !key.validated && key.name !== named) continue;
    const violations =
      check === undefined || key.validated
        ? await (check ?? (await KeyCheck.read(client, key))).violations(client, mostNamed)
        : await check.grown(client, mostNamed);
    if (violations !== null) broken.push(violations);
  }
  return broken;
}

function brokenKeys(broken: readonly KeyViolations[]): ThawError {
  const [first] = broken;
  const told = broken.slice(0, mostNamed).map(tellViolations);
  const rest = broken.length > told.length ? ` And ${broken.length - told.length} more foreign keys.` : '';
  return new ThawError('RowRejected', `${told.join('; ')}.${rest}`, {
    object: first === undefined ? 'foreign keys' : nameOf(first.key.child),
    stage: 'merge',
    sqlstate: sqlState.foreignKeyViolation,
    hint: 'Nothing was changed. Restore the tables on the other side of these foreign keys too, or mend the rows first.',
  });
}

/** Rows that break a key, by their keys, for people. */
export function tellViolations({ key, ...told }: KeyViolations): string {
  return `${nameOf(key.child)}: rows with ${tellRows(told)} break the foreign key ${key.name} to ${nameOf(key.parent)}`;
}

/** Some rows by what tells them apart. */
export function tellRows({ columns, rows, more }: Pick<KeyViolations, 'columns' | 'rows' | 'more'>): string {
  const values = rows.map((row) => `(${row.map((value) => value ?? 'NULL').join(', ')})`).join(', ');
  return `(${columns.join(', ')}) = ${values}${more ? ' and more' : ''}`;
}
