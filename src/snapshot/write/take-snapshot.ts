import type pg from 'pg';
import type {
  CreateSnapshotRequest,
  SnapshotManifest,
  SnapshotTable,
  SnapshotTableName,
} from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { LoadProgress } from '../../load/load-progress.ts';
import {
  beginReading,
  bindTenant,
  checkTenant,
  copyPgText,
  joinMoment,
  type SharedMoment,
  shareMoment,
  textSettings,
} from '../../postgres/snapshot-read.ts';
import {
  type FoundTable,
  findTables,
  holdTables,
  readTableFacts,
  type TableFacts,
} from '../../postgres/snapshot-tables.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { isComparedAsText } from '../../postgres/tenant-value.ts';
import { withLockTimeout } from '../../postgres/transaction.ts';
import { digestOfParts, manifestText } from '../container/manifest.ts';
import { manifestName, partMetadataName, partName, snapshotFolder } from '../container/snapshot-keys.ts';
import type { SnapshotPlace } from '../container/stored-snapshots.ts';
import { LineParts } from './line-parts.ts';
import { partMetadata } from './part-metadata.ts';
import { type WrittenPart, writePart } from './write-part.ts';

/** A snapshot to be taken. */
export interface Taking {
  readonly request: CreateSnapshotRequest;
  readonly place: SnapshotPlace;
  readonly progress: LoadProgress;
  readonly signal: AbortSignal;
  /** Does something with a connection of its own, which the signal closes. */
  withConnection<T>(name: string, signal: AbortSignal, action: (client: pg.Client) => Promise<T>): Promise<T>;
}

/** What all readers share. */
interface Reading {
  readonly taking: Taking;
  readonly moment: SharedMoment;
  /** Still to be read, the largest first. */
  readonly queue: TableFacts[];
  readonly written: Map<number, SnapshotTable>;
}

/**
 * Reads tables as they all are at one moment, several at a time, into the store; the manifest is written last, so
 * that what is half written is no snapshot.
 *
 * @throws ThawError `TargetMissing` for a table that is not there, `SchemaIncompatible` for one without the column of
 * the tenant, `InputInvalid` for a value that is none of its type; what the database and the store raise
 */
export async function takeSnapshot(taking: Taking): Promise<SnapshotManifest> {
  const { request, place } = taking;
  const failing = new AbortController();
  const signal = AbortSignal.any([taking.signal, failing.signal]);
  const manifest = await taking.withConnection('lead', signal, async (client) => {
    const found = await chosenTables(client, request);
    await beginReading(client);
    await withLockTimeout(client, () => holdTables(client, found));
    const moment = await shareMoment(client);
    const tables = await readTableFacts(client, found);
    sameTables(found, tables);
    const queue = tables.toSorted((a, b) => b.diskBytes - a.diskBytes);
    const reading: Reading = { taking, moment, queue, written: new Map() };
    const others = Array.from({ length: Math.min(request.readers, tables.length) - 1 }, (_, number) =>
      taking.withConnection(`reader-${number + 1}`, signal, async (other) => {
        await beginReading(other);
        await joinMoment(other, moment.snapshotId);
        await readTables(other, reading);
      }),
    );
    await allOrNone([readTables(client, reading), ...others], failing);
    await client.query('commit');
    return manifestOf(reading, tables);
  });
  const key = `${snapshotFolder(place.prefix, request.id)}${manifestName}`;
  await place.store.write(key, Buffer.from(manifestText(manifest)), 'application/json', null);
  return manifest;
}

/** Waits for all; the first that fails ends the others, and is what it fails for. */
async function allOrNone(works: readonly Promise<void>[], failing: AbortController): Promise<void> {
  const ended = works.map((work) =>
    work.catch((error: unknown) => {
      failing.abort();
      throw error;
    }),
  );
  try {
    await Promise.all(ended);
  } finally {
    await Promise.allSettled(ended);
  }
}

async function chosenTables(client: pg.Client, request: CreateSnapshotRequest): Promise<FoundTable[]> {
  const found = await findTables(client, request.tables, request.schemas);
  const names = new Set(found.map(nameOf));
  const missing = [
    ...request.tables.map(nameOf).filter((name) => !names.has(name)),
    ...request.schemas.filter((schema) => !found.some((table) => table.schema === schema)),
  ];
  if (missing.length === 0 && found.length > 0) return found;
  const [first] = missing;
  const what =
    first === undefined ? 'no tables are named' : `there is no table ${missing.slice(0, 5).join(', ')}`;
  throw new ThawError('TargetMissing', `${request.database}: ${what}`, {
    object: first,
    hint: 'Correct --table and --schema: names as PostgreSQL has them, of tables that are there.',
  });
}

/** What was dropped or made anew between finding and holding it is another table. */
function sameTables(found: readonly FoundTable[], tables: readonly TableFacts[]): void {
  const there = new Set(tables.map(({ oid }) => oid));
  const gone = found.find(({ oid }) => !there.has(oid));
  if (gone === undefined) return;
  throw new ThawError('LockTimeout', `${nameOf(gone)} was made anew while the snapshot began`, {
    object: nameOf(gone),
  });
}

function nameOf({ schema, table }: SnapshotTableName): string {
  return `${schema}.${table}`;
}

async function readTables(client: pg.Client, reading: Reading): Promise<void> {
  const { request } = reading.taking;
  if (request.tenant !== null) await bindTenant(client, request.tenant);
  for (let table = reading.queue.shift(); table !== undefined; table = reading.queue.shift()) {
    try {
      reading.written.set(table.oid, await readTable(client, reading, table));
    } catch (error) {
      throw databaseError(error, { object: nameOf(table) });
    }
  }
}

async function readTable(client: pg.Client, reading: Reading, table: TableFacts): Promise<SnapshotTable> {
  const { taking, moment } = reading;
  const { request, place, progress } = taking;
  progress.enter('copy', nameOf(table));
  const folder = snapshotFolder(place.prefix, request.id);
  const rows = copyPgText(client, table, await tenantOf(client, request, table));
  const lines = new LineParts(rows as AsyncIterable<Uint8Array>, request.partBytes);
  const parts: WrittenPart[] = [];
  while (await lines.hasMore()) {
    const number = parts.length + 1;
    const key = partName(table, number);
    const part = await writePart({ store: place.store, folder }, key, lines.part(), (count, bytes) =>
      progress.move(bytes, count),
    );
    const facts = { database: request.database, at: moment.at, settings: textSettings };
    const metadata = partMetadata({ ...facts, table, number, part });
    await place.store.write(`${folder}${partMetadataName(key)}`, Buffer.from(metadata), 'application/json');
    parts.push(part);
  }
  const { schema, table: name, kind, key, foreignKeys } = table;
  return {
    ...{ schema, table: name, kind, key, foreignKeys },
    ...(isWhole(request, table) ? { whole: true } : {}),
    columns: table.columns.map(({ castType: _, ...column }) => column),
    rows: parts.reduce((sum, part) => sum + part.rows, 0),
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
    parts: parts.map(({ jsonlBytes: _, ...part }) => part),
  };
}

function isWhole({ whole = [] }: CreateSnapshotRequest, table: SnapshotTableName): boolean {
  return whole.some((name) => nameOf(name) === nameOf(table));
}

/** The tenant's column in a table, once it is known that the value can be compared with it. */
async function tenantOf(
  client: pg.Client,
  request: CreateSnapshotRequest,
  table: TableFacts,
): Promise<{ readonly column: string; readonly castType: string } | null> {
  const { tenant } = request;
  if (tenant === null || isWhole(request, table)) return null;
  const column = table.columns.find(({ name }) => name === tenant.column);
  if (column === undefined) {
    throw new ThawError('SchemaIncompatible', `${nameOf(table)} has no column ${tenant.column}`, {
      object: nameOf(table),
      column: tenant.column,
      hint: 'Leave the table out, or --where: without the column nobody knows whose its rows are.',
    });
  }
  const castType = isComparedAsText(column.castType) ? 'text' : column.castType;
  try {
    await checkTenant(client, castType);
  } catch (error) {
    const { code, sqlstate } = databaseError(error, { object: nameOf(table) });
    if (code !== 'RowRejected') throw error;
    throw new ThawError('InputInvalid', `--where: the value is no ${column.type}, as ${tenant.column} is`, {
      ...{ object: nameOf(table), column: tenant.column, sqlstate },
      hint: 'Give a value as PostgreSQL reads it for the column.',
    });
  }
  return { column: tenant.column, castType };
}

function manifestOf({ taking, moment, written }: Reading, facts: readonly TableFacts[]): SnapshotManifest {
  const { id, name, type, by, database, tenant, keep } = taking.request;
  const tables = facts.flatMap(({ oid }) => written.get(oid) ?? []);
  const expiresAt = keep === null ? null : new Date(Date.parse(moment.at) + keep * 1000).toISOString();
  return {
    ...{ version: '1.0', encoding: 'pg-text', settings: textSettings, id, name, type },
    ...{ createdAt: moment.at, createdBy: by, expiresAt, database, tenant, tables },
    ...{ serverVersion: moment.serverVersion, walLsn: moment.walLsn, xactSnapshot: moment.xactSnapshot },
    totalRows: tables.reduce((sum, { rows }) => sum + rows, 0),
    bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
    sha256: digestOfParts(tables),
  };
}
