import type pg from 'pg';
import type {
  SnapshotColumn,
  SnapshotSource,
  SnapshotTableName,
  SnapshotType,
  TenantPart,
} from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { resolveTableNames } from '../../postgres/snapshot-names.ts';
import { type SourceName, wasRestored } from '../../postgres/snapshot-restores.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { findStoredSnapshot, readStoredTables } from '../../postgres/stored-snapshot.ts';
import { readManifest, type SnapshotPlace } from '../container/stored-snapshots.ts';
import { containerSource, containerTable } from '../read/container-source.ts';
import { inspectObject, objectSource } from '../read/object-source.ts';
import type { RowsSource, SourceTable } from '../read/rows-source.ts';
import { storedSource } from '../read/stored-source.ts';

/** Where snapshots are opened. */
export interface SnapshotSite {
  readonly place: SnapshotPlace;
  /** A connection to the database that is restored into, which the caller ends. */
  connect(): Promise<pg.Client>;
  readonly signal: AbortSignal;
}

/** A table of a snapshot. */
export interface OpenedTable extends SnapshotTableName {
  /** What the rows of the source call it. */
  readonly name: string;
  readonly rows: number;
  /** Null where only its rows tell. */
  readonly columns: readonly SnapshotColumn[] | null;
  /** Whose rows it holds; null: all. */
  readonly tenant: TenantPart | null;
}

/** A snapshot of any source, as its source describes it. What a source does not tell is null. */
export interface OpenedSnapshot {
  readonly source: SnapshotSource;
  /** By which restores of it are recorded. */
  readonly sourceName: SourceName;
  readonly encoding: RowsSource['encoding'];
  readonly name: string | null;
  readonly type: SnapshotType | null;
  /** ISO 8601 */
  readonly createdAt: string | null;
  /** Which transactions it saw, as `pg_current_snapshot()` writes it. */
  readonly xactSnapshot: string | null;
  readonly createdBy: string | null;
  /** ISO 8601; null: never. */
  readonly expiresAt: string | null;
  /** It was restored into this database, and that was not undone since. */
  readonly rolledBack: boolean;
  readonly tables: readonly OpenedTable[];
  /** The rows of some of its tables. */
  rows(tables: readonly OpenedTable[]): RowsSource;
}

/**
 * Opens a snapshot. One that is an object is gone through to its end, as nothing else tells what it holds.
 *
 * @param client to the database that is restored into
 * @throws ThawError `ArchiveNotFound`, `ArchiveCorrupt`, `MetadataInvalid`; those of the store and the database
 */
export async function openSnapshot(
  source: SnapshotSource,
  site: SnapshotSite,
  client: pg.Client,
): Promise<OpenedSnapshot> {
  try {
    if (source.kind === 'stored') return await openContainer(source, site, client);
    return source.kind === 'table'
      ? await openRow(source, site, client)
      : await openObject(source, site, client);
  } catch (error) {
    throw databaseError(error, { object: source.kind === 'object' ? source.key : source.id });
  }
}

async function openContainer(
  source: Extract<SnapshotSource, { kind: 'stored' }>,
  { place }: SnapshotSite,
  client: pg.Client,
): Promise<OpenedSnapshot> {
  const manifest = await readManifest(place, source.id);
  const sourceName: SourceName = { kind: 'stored', place: place.store.name, id: source.id, version: null };
  const { name, type, encoding, createdAt, createdBy, expiresAt, tenant } = manifest;
  return {
    ...{ source, sourceName, name, type, encoding, createdAt, createdBy, expiresAt },
    xactSnapshot: manifest.xactSnapshot ?? null,
    rolledBack: await wasRestored(client, sourceName),
    tables: manifest.tables.map((table) => ({
      ...{ schema: table.schema, table: table.table, rows: table.rows, columns: table.columns },
      tenant: table.whole === true ? null : tenant,
      name: containerTable(table),
    })),
    rows: (tables) => {
      const wanted = new Set(tables.map(containerTable));
      return containerSource(
        place,
        source.id,
        manifest.tables.filter((table) => wanted.has(containerTable(table))),
      );
    },
  };
}

async function openRow(
  source: Extract<SnapshotSource, { kind: 'table' }>,
  { connect }: SnapshotSite,
  client: pg.Client,
): Promise<OpenedSnapshot> {
  const facts = await findStoredSnapshot(client, source.id);
  if (facts === null) {
    throw new ThawError('ArchiveNotFound', `There is no snapshot ${source.id} in backup_pitr_snapshots.`, {
      object: source.id,
      hint: 'Look for its id: select id, snapshot_name, created_at from backup_pitr_snapshots.',
    });
  }
  const { schema, id, name, type, tenantId, createdAt, createdBy, expiresAt, status, isRolledBack } = facts;
  const tenant = { column: 'tenant_id', value: tenantId };
  const tables = await named(client, await readStoredTables(client, facts), [schema], (table) =>
    facts.wholeTables.includes(table) ? null : tenant,
  );
  return {
    ...{ source, sourceName: { kind: 'table', place: schema, id, version: null }, encoding: 'to_jsonb' },
    ...{ name, type, createdAt, xactSnapshot: null, createdBy, expiresAt, tables },
    rolledBack: isRolledBack || status === 'rolled_back',
    rows: (wanted) => storedSource(connect, facts, wanted),
  };
}

async function openObject(
  source: Extract<SnapshotSource, { kind: 'object' }>,
  { place: { store }, signal }: SnapshotSite,
  client: pg.Client,
): Promise<OpenedSnapshot> {
  const inspected = await inspectObject(store, source.key, signal);
  const { key, etag } = inspected;
  const sourceName: SourceName = { kind: 'object', place: store.name, id: key, version: etag };
  const tenant = tenantOfKey(key);
  return {
    ...{ source, sourceName, encoding: 'to_jsonb' },
    ...{ name: key, type: null, createdAt: null, xactSnapshot: null, createdBy: null, expiresAt: null },
    rolledBack: await wasRestored(client, sourceName),
    tables: await named(client, inspected.tables, [], () => tenant),
    // All are given, as another number of them would be another object.
    rows: () => objectSource(store, inspected),
  };
}

/** Whose rows a backup of the source system holds: its key is `{tenant}/{job}-backup.json`. */
function tenantOfKey(key: string): TenantPart | null {
  const value = /(?:^|\/)([^/]+)\/[^/]+-backup\.json(?:\.gz)?$/.exec(key)?.[1];
  return value === undefined ? null : { column: 'tenant_id', value };
}

async function named(
  client: pg.Client,
  tables: readonly SourceTable[],
  schemas: readonly string[],
  tenantOf: (name: string) => TenantPart | null,
): Promise<OpenedTable[]> {
  const names = await resolveTableNames(
    client,
    tables.map(({ name }) => name),
    schemas,
  );
  return tables.flatMap(({ name, rows }, place) => {
    const found = names[place];
    return found === undefined ? [] : [{ ...found, name, rows, columns: null, tenant: tenantOf(name) }];
  });
}
