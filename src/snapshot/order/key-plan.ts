import type { TableName } from '../../postgres/foreign-keys.ts';
import type { FoundTable, TouchingKey } from '../../postgres/snapshot-foreign-keys.ts';
import { nameOf } from './table-order.ts';

/** How a foreign key is kept from standing in the way of a merge. */
export type KeyHold =
  /** It is checked at the end, as it was declared that it may be. */
  | 'deferred'
  /** Likewise, after it was altered so that it may be. */
  | 'made deferrable'
  /** It would delete or change rows by itself, or refuse at once, which nothing defers: dropped, and added again. */
  | 'taken off';

/** A key, and how it is held. */
export interface PlannedKey {
  readonly key: TouchingKey;
  readonly hold: KeyHold;
}

/** A lock that a merge takes, and holds to its end. */
export interface PlannedLock {
  readonly table: TableName;
  /** `share row exclusive` lets others read; `access exclusive` has them wait. */
  readonly lock: 'share row exclusive' | 'access exclusive';
  readonly why: string;
}

/**
 * How each key is held.
 *
 * @param members the tables that are merged into and their partitions, by oid
 */
export function planKeys(
  keys: readonly TouchingKey[],
  members: ReadonlyMap<number, FoundTable>,
): PlannedKey[] {
  return keys.map((key) => {
    const { deferrable, onDelete, onUpdate, links } = key;
    const acts = onDelete !== 'no action' || onUpdate !== 'no action';
    // Its actions are those of the table that it refers to: they rest while that one is not written.
    if (acts && links.some(({ parent }) => members.has(parent))) return { key, hold: 'taken off' };
    return { key, hold: deferrable ? 'deferred' : 'made deferrable' };
  });
}

/** Every lock of a merge, one for each table: the strongest, with the first reason for it. In order of their names. */
export function planLocks(tables: readonly FoundTable[], keys: readonly PlannedKey[]): PlannedLock[] {
  const locks = new Map<string, PlannedLock>();
  const take = ({ schema, table }: TableName, lock: PlannedLock['lock'], why: string) => {
    const name = nameOf({ schema, table });
    if (locks.has(name)) return;
    locks.set(name, { table: { schema, table }, lock, why });
  };
  for (const { key, hold } of keys) {
    if (hold === 'deferred') continue;
    take(key.child, 'access exclusive', `its foreign key ${key.name} is ${hold}`);
    if (hold === 'taken off') {
      take(key.parent, 'access exclusive', `the foreign key ${key.name} of ${nameOf(key.child)} is ${hold}`);
    }
  }
  for (const table of tables) take(table, 'share row exclusive', 'rows are merged into it');
  return [...locks.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, lock]) => lock);
}
