import type pg from 'pg';
import type { SnapshotSource, SnapshotTableName, SnapshotType, TenantPart } from '../../contract/snapshot.ts';
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
 * The newest snapshot from which tables can be brought forward to a time: of those in the store, and for a tenant of
 * the source system of those in `backup_pitr_snapshots`. It is not later than the time, not expired, has all of the
 * tables, and all rows or those of the tenant. Where no tables are named, those that were taken before restores are
 * passed over, as they have but the tables of these.
 *
 * @throws ThawError `ArchiveNotFound` where there is none; those of the store and the database
 */
export async function chooseBase(
  place: SnapshotPlace,
  client: pg.Client,
  choice: BaseChoice,
): Promise<ChosenBase> {
  const stored = await storedBase(place, choice);
  const row = await rowBase(client, choice);
  // Of two of one moment, the one that tells which transactions it saw.
  const isRowNewer = row !== null && (stored === null || isBefore(stored.createdAt, row.createdAt));
  const base = isRowNewer ? row : stored;
  if (base === null) throw noBase(choice);
  return base;
}

async function storedBase(
  place: SnapshotPlace,
  { database, tables, tenant, to }: BaseChoice,
): Promise<ChosenBase | null> {
  const { snapshots } = await listSnapshots(place);
  const base = snapshots.find(
    (snapshot) =>
      snapshot.database === database &&
      !isBefore(to, snapshot.createdAt) &&
      (snapshot.expiresAt === null || Date.parse(snapshot.expiresAt) > Date.now()) &&
      (snapshot.tenant === null || isSame(snapshot.tenant, tenant)) &&
      fits(snapshot, tables),
  );
  return base === undefined ? null : { source: { kind: 'stored', id: base.id }, createdAt: base.createdAt };
}

async function rowBase(client: pg.Client, { tables, tenant, to }: BaseChoice): Promise<ChosenBase | null> {
  if (tenant?.column !== 'tenant_id') return null;
  const base = (await listBases(client, tenant.value, to)).find((one) => fits(one, tables));
  return base === undefined ? null : { source: { kind: 'table', id: base.id }, createdAt: base.createdAt };
}

function fits(
  base: { readonly type: SnapshotType; readonly tables: readonly SnapshotTableName[] },
  tables: readonly SnapshotTableName[] | null,
): boolean {
  if (tables === null) return base.type !== 'pre_restore';
  const held = new Set(base.tables.map(nameOf));
  return tables.every((table) => held.has(nameOf(table)));
}

function isSame(one: TenantPart, other: TenantPart | null): boolean {
  return one.column === other?.column && one.value === other.value;
}

/** To the millisecond. */
function isBefore(one: string, other: string): boolean {
  return Date.parse(one) < Date.parse(other);
}

function noBase({ to, tables }: BaseChoice): ThawError {
  const what = tables === null ? '' : ` with ${tables.map(nameOf).join(', ')}`;
  return new ThawError('ArchiveNotFound', `There is no usable snapshot${what} from before ${to}.`, {
    object: '--to',
    hint: 'It has to be older than the time, not expired, and hold these tables and rows: `thaw snapshot list` shows what there is.',
  });
}
