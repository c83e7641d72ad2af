import type { SnapshotTableResult } from '../../contract/snapshot.ts';
import type { KeyHold, PlannedLock } from '../../contract/snapshot-preview.ts';
import type { TableName } from '../../postgres/foreign-keys.ts';
import type { FoundTable, TouchingKey } from '../../postgres/snapshot-foreign-keys.ts';
import { nameOf } from './table-order.ts';

/** A key, and how it is held. */
export interface PlannedKey {
  readonly key: TouchingKey;
  readonly hold: KeyHold;
}

/**
 * How each key is held.
 *
 * @param members the tables that are merged into and their partitions, by oid
 * @param changes what is to change in them, by oid
 * @param slow looking at each row that comes or goes is slow where it costs more; looking at one row in a join costs 1
 */
export function planKeys(
  keys: readonly TouchingKey[],
  members: ReadonlyMap<number, FoundTable>,
  changes: ReadonlyMap<number, SnapshotTableResult> = new Map(),
  slow = tenthOfSecond,
): PlannedKey[] {
  const planned = keys.map((key): PlannedKey & { readonly isSlow: boolean } => {
    const { deferrable, onDelete, onUpdate, links } = key;
    const acts = onDelete !== 'no action' || onUpdate !== 'no action';
    const isSlow =
      key.replaceable && isSlowByRow(key, changes.get(key.child.oid), changes.get(key.parent.oid), slow);
    // Its actions are those of the table that it refers to: they rest while that one is not written.
    if (acts && links.some(({ parent }) => members.has(parent))) return { key, hold: 'taken off', isSlow };
    if (deferrable) return { key, hold: 'deferred', isSlow };
    return { key, hold: isSlow ? 'taken off' : 'made deferrable', isSlow };
  });
  const shut = new Set(planned.flatMap(({ key, hold }) => shutBy(key, hold)));
  return planned.map(({ key, hold, isSlow }) => {
    // One that could be deferred shuts no table: it is taken off only where others have readers wait anyway.
    const isFree = isSlow && shut.has(key.child.oid) && shut.has(key.parent.oid);
    return { key, hold: hold === 'deferred' && isFree ? 'taken off' : hold };
  });
}

/** The tables whose readers have to wait for a key, by oid. */
function shutBy({ child, parent }: TouchingKey, hold: KeyHold): number[] {
  if (hold === 'deferred') return [];
  return hold === 'taken off' ? [child.oid, parent.oid] : [child.oid];
}

/** What it takes to look for the other side of one row, where looking at one of all rows in a join takes 1. */
const rowCost = 10;

/** Below it, a tenth of a second or so, no table is kept from its readers for the sake of speed. */
const tenthOfSecond = 100_000;

function isSlowByRow(
  { indexed }: TouchingKey,
  child: SnapshotTableResult | undefined,
  parent: SnapshotTableResult | undefined,
  slow: number,
): boolean {
  // The locks are those of tables that are merged into anyway.
  if (child === undefined || parent === undefined) return false;
  const rows = rowsOf(child);
  // Without an index all rows are gone through for each that goes, which is quicker for each of them than a join.
  const gone = parent.deleted * (indexed ? rowCost : rowCost + rows / 20);
  const cost = child.inserted * rowCost + gone;
  return cost > slow && cost > rows + rowsOf(parent);
}

function rowsOf({ inserted, updated, unchanged }: SnapshotTableResult): number {
  return inserted + updated + unchanged;
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
