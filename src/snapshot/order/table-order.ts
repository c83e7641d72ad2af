import type pg from 'pg';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ForeignKey, TableName } from '../../postgres/foreign-keys.ts';
import {
  type FoundTable,
  findTables,
  readMembers,
  readTouchingKeys,
  type TouchingKey,
} from '../../postgres/snapshot-foreign-keys.ts';
import { parentsFirst } from '../../restore/parents-first.ts';

/** In which order tables are restored, and which foreign keys they have and are referred to by. */
export interface TableOrder {
  /** Those that are referred to first; tables that refer to each other in a circle are one group. */
  readonly groups: readonly (readonly FoundTable[])[];
  /** Between the tables; a table to itself as well. */
  readonly inside: readonly ForeignKey[];
  /** To tables that are not among them: the rows that these refer to have to be there. */
  readonly outward: readonly ForeignKey[];
  /** Of tables that are not among them: rows that these refer to may not be missing afterwards. */
  readonly inward: readonly ForeignKey[];
}

/**
 * Orders tables of any schemas by their foreign keys. A key of or to a partition counts for the table that was named.
 *
 * @throws ThawError `TargetMissing` for a name that is no table
 */
export async function orderTables(client: pg.Client, names: readonly TableName[]): Promise<TableOrder> {
  const tables = await findTables(client, names);
  const found = new Set(tables.map(nameOf));
  const missing = names.map(nameOf).filter((name) => !found.has(name));
  if (missing.length > 0) {
    throw new ThawError('TargetMissing', `There is no table ${missing.join(', ')}`, {
      object: missing[0],
      hint: 'Name tables as they are: with their schema, where it is not public, and in upper and lower case.',
    });
  }
  const members = await readMembers(client, tables);
  return orderByKeys(tables, members, await readTouchingKeys(client, [...members.keys()]));
}

/** @param members which of the tables a partition belongs to, by oid */
export function orderByKeys(
  tables: readonly FoundTable[],
  members: ReadonlyMap<number, FoundTable>,
  keys: readonly TouchingKey[],
): TableOrder {
  const inside = new Map<string, ForeignKey>();
  const outward = new Map<string, ForeignKey>();
  const inward = new Map<string, ForeignKey>();
  const parents = new Map<number, Set<number>>();
  for (const { name, child: declaredOn, parent: declaredTo, deferrable, oid, links } of keys) {
    for (const link of links) {
      const [child, parent] = [members.get(link.child), members.get(link.parent)];
      const key = {
        name,
        child: named(child ?? declaredOn),
        parent: named(parent ?? declaredTo),
        deferrable,
      };
      const side = parent === undefined ? outward : child === undefined ? inward : inside;
      side.set(`${oid} ${nameOf(key.child)} ${nameOf(key.parent)}`, key);
      if (child === undefined || parent === undefined) continue;
      parents.set(child.oid, (parents.get(child.oid) ?? new Set()).add(parent.oid));
    }
  }
  const byOid = new Map(tables.map((table) => [`${table.oid}`, table]));
  // By name first, so that the order is the same whatever order they are named in.
  const nodes = [...byOid.values()].sort(byName).map(({ oid }) => ({
    name: `${oid}`,
    parents: [...(parents.get(oid) ?? [])].map(String),
  }));
  const groups = parentsFirst(nodes).map((group) =>
    group.flatMap((oid) => byOid.get(oid) ?? []).sort(byName),
  );
  return {
    groups,
    inside: [...inside.values()],
    outward: [...outward.values()],
    inward: [...inward.values()],
  };
}

/** `schema.table` */
export function nameOf({ schema, table }: TableName): string {
  return `${schema}.${table}`;
}

function named({ schema, table }: TableName): TableName {
  return { schema, table };
}

function byName(a: TableName, b: TableName): number {
  const [left, right] = [nameOf(a), nameOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}
