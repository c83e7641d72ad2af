import type pg from 'pg';
import type { SchemaStrategy } from '../../contract/restore-request.ts';
import type { SnapshotSource } from '../../contract/snapshot.ts';
import type {
  SnapshotIssue,
  SnapshotValidation,
  ValidatedSnapshot,
} from '../../contract/snapshot-validation.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { findStoredSnapshot, type StoredFacts } from '../../postgres/stored-snapshot.ts';
import { readStoredClaims } from '../../postgres/stored-snapshot-faults.ts';
import { lockTimeout } from '../../postgres/transaction.ts';
import { isExact } from '../../restore/schema-plan.ts';
import type { SnapshotPlace } from '../container/stored-snapshots.ts';
import { nameOf } from '../order/table-order.ts';
import { type PreviewStage, type StageSite, withPreviewStage } from '../preview/preview-stage.ts';
import { chooseTables, type TableChoice } from '../restore/choose-tables.ts';
import { type OpenedSnapshot, type OpenedTable, openSnapshot } from '../restore/open-snapshot.ts';
import { stageSnapshot } from '../restore/stage-snapshot.ts';
import { checkRows } from './check-rows.ts';
import { checkSnapshot, statusOf } from './check-snapshot.ts';
import { issueOf, readParts } from './read-parts.ts';

/** What is validated, and where. */
export interface ValidateJob extends StageSite, TableChoice {
  readonly place: SnapshotPlace;
  readonly source: SnapshotSource;
  readonly schemaStrategy: SchemaStrategy;
  /** It may have been restored before. */
  readonly again: boolean;
  /** Reads no rows. */
  readonly quick: boolean;
  /** Called for rows as they are staged. */
  onRows?(rows: number): void;
}

/** Connections that are staged on at the same time. */
const connections = 4;

/** What says that files are damaged, so that all of them are looked at. */
const damage: ReadonlySet<SnapshotIssue['code']> = new Set([
  'ArchiveNotFound',
  'ArchiveCorrupt',
  'ArchiveChanged',
  'ChecksumMismatch',
  'CountMismatch',
]);

/**
 * Tells whether a snapshot can be restored, without restoring it: its manifest and every file of it are read and
 * compared with their checksums and counts, its tables and columns with the database, and its rows are staged beside
 * the tables to see that PostgreSQL takes them and that they break no foreign key, in or out of the snapshot.
 *
 * @throws ThawError where something cannot be looked at; the signal's reason
 */
export async function validateSnapshot(job: ValidateJob): Promise<SnapshotValidation> {
  return withPreviewStage(job, async (stage) => {
    // Whoever locks a table must not hold the validation up for ever.
    await stage.client.query(`set lock_timeout = '${lockTimeout}'`);
    const claimed = await claimsOf(stage.client, job.source);
    if (claimed === null) return { valid: false, error: 'Snapshot not found' };
    const opened = await open(job, stage);
    if (opened === 'not found') return { valid: false, error: 'Snapshot not found' };
    if ('issue' in opened) return result(job, claimed, [opened], [], claimed.head ?? damagedHead(job.source));
    const head = claimed.head ?? headOf(opened);
    const { tables, missing } = choose(opened, job);
    const found = await checkSnapshot(stage.client, opened, { ...job, tables });
    const issues = [...found.issues, ...missing];
    if (!job.quick) issues.push(...(await checkContent(job, stage, opened, tables, issues)));
    return result(job, claimed, issues, found.notices, head);
  });
}

interface Claims {
  readonly issues: readonly SnapshotIssue[];
  readonly head: ValidatedSnapshot | null;
}

/** What the source system's own check finds in a row of its table; null: there is no such row. */
async function claimsOf(client: pg.Client, source: SnapshotSource): Promise<Claims | null> {
  if (source.kind !== 'table') return { issues: [], head: null };
  const facts = await findStoredSnapshot(client, source.id);
  if (facts === null) return null;
  const { affectedTables, form, without, altered } = await readStoredClaims(client, facts);
  const isNull = form === null || form === 'null';
  const issues = [
    ...(isNull ? ['snapshot_data is null'] : []),
    ...(!isNull && form !== 'object' ? ['snapshot_data is not an object'] : []),
    ...(affectedTables.length === 0 ? ['no affected_tables'] : []),
    ...(altered ? ['snapshot_data does not have its checksum'] : []),
    ...(form === 'object' ? without.map((name) => `snapshot_data has no rows of ${name}`) : []),
  ];
  return {
    issues: issues.map((issue) => ({ issue, code: 'ArchiveCorrupt', object: null })),
    head: storedHead(facts, affectedTables),
  };
}

function storedHead(
  { id, createdAt, status }: StoredFacts,
  affectedTables: readonly string[],
): ValidatedSnapshot {
  return { id, created_at: createdAt, status, affected_tables: affectedTables };
}

async function open(
  { source, place, signal }: ValidateJob,
  { client, connect }: PreviewStage,
): Promise<OpenedSnapshot | SnapshotIssue | 'not found'> {
  try {
    return await openSnapshot(source, { place, connect, signal }, client);
  } catch (error) {
    const issue = issueOf(error, signal);
    return issue.code === 'ArchiveNotFound' ? 'not found' : issue;
  }
}

/** The tables that are asked for, and what is to be said of those that the snapshot does not have. */
function choose(
  { tables }: OpenedSnapshot,
  { tables: asked }: ValidateJob,
): { readonly tables: readonly OpenedTable[]; readonly missing: readonly SnapshotIssue[] } {
  if (asked === null) return { tables, missing: [] };
  const names = new Set(asked.map(nameOf));
  const found = tables.filter((table) => names.delete(nameOf(table)));
  const missing = [...names].map((object): SnapshotIssue => {
    return { issue: `the snapshot does not have ${object}`, code: 'ArchiveNotFound', object };
  });
  return { tables: found, missing };
}

/** Looks at the rows: where they cannot be staged, at their files alone. */
async function checkContent(
  job: ValidateJob,
  stage: PreviewStage,
  snapshot: OpenedSnapshot,
  tables: readonly OpenedTable[],
  before: readonly SnapshotIssue[],
): Promise<readonly SnapshotIssue[]> {
  const { signal, schemaStrategy } = job;
  const { client, schema, connect } = stage;
  // What has expired, or was restored before, may be sound nevertheless.
  if (before.some(({ code }) => code !== 'InputInvalid')) return readParts(snapshot.rows(tables), signal);
  try {
    const chosen = await chooseTables(client, snapshot, job);
    const onRows = (_: string, rows: number) => job.onRows?.(rows);
    const staged = await stageSnapshot(snapshot, chosen, {
      ...{ schema, connections, connect, signal, onRows, exact: isExact({ schemaStrategy }) },
    });
    return await checkRows(client, staged);
  } catch (error) {
    const issue = issueOf(databaseError(error, { object: snapshot.sourceName.id }), signal);
    if (!damage.has(issue.code)) return [issue];
    const all = await readParts(snapshot.rows(tables), signal);
    return all.length > 0 ? all : [issue];
  }
}

function headOf(snapshot: OpenedSnapshot): ValidatedSnapshot {
  const { sourceName, createdAt, tables } = snapshot;
  return {
    ...{ id: sourceName.id, created_at: createdAt, status: statusOf(snapshot) },
    affected_tables: tables.map(nameOf),
  };
}

function damagedHead(source: SnapshotSource): ValidatedSnapshot {
  const id = source.kind === 'object' ? source.key : source.id;
  return { id, created_at: null, status: 'damaged', affected_tables: [] };
}

function result(
  { quick }: ValidateJob,
  claimed: Claims,
  found: readonly SnapshotIssue[],
  notices: readonly string[],
  snapshot: ValidatedSnapshot,
): SnapshotValidation {
  const issues = [...claimed.issues, ...found].filter(
    ({ issue }, place, all) => all.findIndex((other) => other.issue === issue) === place,
  );
  return { valid: issues.length === 0, issues, notices, snapshot, complete: !quick };
}
