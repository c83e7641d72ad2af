import type pg from 'pg';
import type { SnapshotSource, SnapshotTableName, TenantPart } from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { listBases } from '../../postgres/stored-bases.ts';
import { listSnapshots, type SnapshotPlace } from '../container/stored-snapshots.ts';
import { nameOf } from '../order/table-order.ts';

/** What a snapshot is chosen for. */
export interface BaseChoice {
  /** `databases[].name` */
  readonly database: string;
  /** Null: those that the snapshot has. */
  readonly tables: readonly SnapshotTableName[] | null;
  readonly tenant: TenantPart | null;
  /** ISO 8601 */
  readonly to: string;
}

/** A snapshot that was chosen. */
export interface ChosenBase {
  readonly source: SnapshotSource;
  /** ISO 8601 */
  readonly createdAt: string;
}

/**
 * The newest snapshot in the store from which tables can be brought forward to a time: not later than it, not expired,
 * with all of the tables, of all rows or those of the tenant. Where no tables are named, those that were taken before
 * restores are passed over: they hold what these were about to change.
 *
 * @throws ThawError `ArchiveNotFound` where there is none; those of the store
 */
export async function chooseStoredBase(
  place: SnapshotPlace,
  { database, tables, tenant, to }: BaseChoice,
): Promise<ChosenBase> {
  const { snapshots } = await listSnapshots(place);
  const base = snapshots.find((snapshot) => {
    const held = new Set(snapshot.tables.map(nameOf));
    return (
      snapshot.database === database &&
      Date.parse(snapshot.createdAt) <= Date.parse(to) &&
      (snapshot.expiresAt === null || Date.parse(snapshot.expiresAt) > Date.now()) &&
      (snapshot.tenant === null || isSame(snapshot.tenant, tenant)) &&
      (tables === null ? snapshot.type !== 'pre_restore' : tables.every((table) => held.has(nameOf(table))))
    );
  });
  if (base === undefined) throw noBase(to, tables, '`thaw snapshot list` shows what there is');
  return { source: { kind: 'stored', id: base.id }, createdAt: base.createdAt };
}

/**
 * The same of those in `backup_pitr_snapshots`, of the tenant.
 *
 * @throws ThawError `InputInvalid` without a tenant, `ArchiveNotFound`; what the database refuses
 */
export async function chooseTableBase(
  client: pg.Client,
  { tables, tenant, to }: BaseChoice,
): Promise<ChosenBase> {
  if (tenant?.column !== 'tenant_id') {
    throw new ThawError('InputInvalid', 'Nothing says of which tenant the snapshot has to be.', {
      object: '--where',
      hint: 'Snapshots in backup_pitr_snapshots are of one tenant each: give --where tenant_id=…, or an id.',
    });
  }
  const wanted = new Set(tables?.map(nameOf));
  for (const base of await listBases(client, tenant.value, to)) {
    const held = new Set(base.tables.map(nameOf));
    if (tables === null ? base.type === 'pre_restore' : ![...wanted].every((name) => held.has(name)))
      continue;
    return { source: { kind: 'table', id: base.id }, createdAt: base.createdAt };
  }
  throw noBase(to, tables, 'select id, created_at, affected_tables from backup_pitr_snapshots');
}

function isSame(one: TenantPart, other: TenantPart | null): boolean {
  return one.column === other?.column && one.value === other.value;
}

function noBase(to: string, tables: readonly SnapshotTableName[] | null, look: string): ThawError {
  const what = tables === null ? '' : ` with ${tables.map(nameOf).join(', ')}`;
  return new ThawError('ArchiveNotFound', `There is no usable snapshot${what} from before ${to}.`, {
    object: '--to',
    hint: `A snapshot has to be older than the time, not expired, and hold these tables and rows: ${look}.`,
  });
}
