import type pg from 'pg';
import type { SnapshotRequest, SnapshotTableName, TenantPart } from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { readTargets, type TargetTable } from '../../postgres/catalog.ts';
import { nameOf, orderTables } from '../order/table-order.ts';
import type { OpenedSnapshot, OpenedTable } from './open-snapshot.ts';

/** What of a snapshot is restored, and how. */
export type TableChoice = Pick<SnapshotRequest, 'tables' | 'tenant' | 'newerBy'>;

/** A table of a snapshot that is restored. */
export interface ChosenTable {
  readonly opened: OpenedTable;
  readonly target: TargetTable;
  /** Which rows of the target count; null: all. */
  readonly tenant: TenantPart | null;
  /** By which column the newer row wins; null: all become as they are in the snapshot. */
  readonly newerBy: string | null;
}

/**
 * The tables that are restored, as they are in the database now, parents of foreign keys first.
 *
 * @throws ThawError `ArchiveNotFound` for one that the snapshot does not have; `TargetMissing` for one that the database
 * does not have; `InputInvalid` for another tenant than that of the snapshot; `ArchiveCorrupt` for a table that is
 * twice in the snapshot; `SchemaIncompatible`, `PermissionDenied`
 */
export async function chooseTables(
  client: pg.Client,
  snapshot: Pick<OpenedSnapshot, 'tables'>,
  { tables, tenant, newerBy }: TableChoice,
): Promise<ChosenTable[]> {
  const opened = tables === null ? snapshot.tables : tables.map((name) => findTable(snapshot, name));
  const byName = new Map(opened.map((table) => [nameOf(table), table]));
  if (byName.size < opened.length) throw twice(opened);
  const { groups } = await orderTables(client, [...byName.values()]);
  const names = groups.flat();
  const targets = await targetsOf(client, names);
  return names.flatMap((name): ChosenTable[] => {
    const [table, target] = [byName.get(nameOf(name)), targets.get(nameOf(name))];
    if (table === undefined || target === undefined) return [];
    return [{ opened: table, target, tenant: tenantOf(table, tenant), newerBy }];
  });
}

function findTable({ tables }: Pick<OpenedSnapshot, 'tables'>, name: SnapshotTableName): OpenedTable {
  const table = tables.find((one) => one.schema === name.schema && one.table === name.table);
  if (table !== undefined) return table;
  throw new ThawError('ArchiveNotFound', `The snapshot does not have ${nameOf(name)}.`, {
    object: nameOf(name),
    hint: `It has ${tables.slice(0, 20).map(nameOf).join(', ')}${tables.length > 20 ? ' and more' : ''}.`,
  });
}

/** By their names. */
async function targetsOf(
  client: pg.Client,
  names: readonly SnapshotTableName[],
): Promise<Map<string, TargetTable>> {
  const targets = new Map<string, TargetTable>();
  for (const schema of new Set(names.map((name) => name.schema))) {
    const tables = names.filter((name) => name.schema === schema).map(({ table }) => table);
    for (const target of await readTargets(client, schema, tables)) targets.set(nameOf(target), target);
  }
  return targets;
}

/** A snapshot of one tenant's rows says nothing of those of another. */
function tenantOf({ schema, table, tenant: held }: OpenedTable, asked: TenantPart | null): TenantPart | null {
  if (held === null || asked === null) return held ?? asked;
  if (held.column === asked.column && held.value === asked.value) return held;
  throw new ThawError(
    'InputInvalid',
    `${schema}.${table}: the snapshot holds rows where ${held.column} is ${held.value}, and no others.`,
    {
      object: '--where',
      hint: 'Leave --where out, or restore a snapshot of that tenant.',
    },
  );
}

function twice(opened: readonly OpenedTable[]): ThawError {
  const names = opened.map(nameOf);
  const object = names.find((name, place) => names.indexOf(name) !== place) ?? '';
  return new ThawError('ArchiveCorrupt', `${object} is in the snapshot, or named, more than once.`, {
    object,
    hint: 'Name each table once; a snapshot that has a table under two names cannot be restored.',
  });
}
