import type pg from 'pg';
import { rowRangeOf } from '../config/row-range.ts';
import type { LoadOutcome } from '../contract/activities.ts';
import type { TableError, Tally } from '../contract/outcome.ts';
import type { RestoreOptions, RestoreRequest, TableRequest } from '../contract/restore-request.ts';
import { findArchives } from '../load/listing.ts';
import type { ThawContext } from '../load/thaw-context.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import { estimateGrowth } from '../postgres/growth.ts';
import { hasForeign } from '../postgres/ledger.ts';
import { createShadow, type Shadow } from '../postgres/shadow.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { readTimeRange } from '../postgres/time-range.ts';
import { inTransaction } from '../postgres/transaction.ts';
import { onlyForeign } from '../restore/foreign.ts';
import type { SchemaMark } from '../restore/schema-migration.ts';
import { TableResults } from '../restore/table-results.ts';
import type { ObjectInfo } from '../store/object-store.ts';
import type { ShadowedTable } from './dangling.ts';
import { Rehearsal } from './rehearsal.ts';
import { unforeseen } from './unforeseen.ts';

/** What a restore takes, as measured in its rehearsal. */
export interface Estimate {
  /** Of reading and merging, one archive after the other; a restore has several lanes, and mostly copies straight. */
  readonly seconds: number;
  /** By which the table grows on disk, with its indexes. */
  readonly diskBytes: number;
}

/** What came of a rehearsal: what a restore would tell of the table. */
export interface RehearsedOutcome
  extends Pick<TableResults, 'tally' | 'failures' | 'notices' | 'columnNotes'> {
  /** Why the table as a whole could not be restored; null otherwise. */
  readonly error: TableError | null;
  /** What a restore may do otherwise, and why; empty where the numbers are exact. */
  readonly unforeseen: readonly string[];
  readonly estimate: Estimate;
}

/** A table after its rehearsal. */
export interface Rehearsed extends ShadowedTable {
  readonly outcome: RehearsedOutcome;
}

/** A table to rehearse, and what for. */
export interface TableToRehearse {
  readonly request: RestoreRequest;
  readonly table: TableRequest;
  readonly target: TargetTable;
  /** What would be loaded, in archive order. */
  readonly archives: readonly ObjectInfo[];
  /** The folders that they lie in. */
  readonly folders: readonly string[];
  readonly schemas: readonly SchemaMark[];
  /** The schema `thaw` is in the target database. */
  readonly hasLedger: boolean;
}

/** Archives that are read and merged together have so many compressed bytes at the most, ... */
const batchBytes = 8 * 1024 * 1024;
/** ... and are no more than this. */
const batchArchives = 200;

/**
 * Restores the archives of a table into a shadow of it, and counts.
 *
 * @param client in no transaction
 * @param place tells the tables of a session apart
 * @param onArchives told of archives as they are done
 * @throws ThawError for what is not about one archive
 */
export async function rehearseTable(
  client: pg.Client,
  thaw: ThawContext,
  input: TableToRehearse,
  place: number,
  signal: AbortSignal,
  onArchives: (archives: number, bytes: number) => void,
): Promise<Rehearsed> {
  const { request, table, target, archives, folders, schemas } = input;
  const { options, database, fingerprint, restoreId } = request;
  const begun = performance.now();
  const results = new TableResults(null);
  const asked = rowRangeOf(thaw.config, { database, table }, options);
  const range = asked === null ? null : await readTimeRange(client, target, asked);
  const shadow = await makeShadow(client, target, place);
  const scope = { restoreId, fingerprint, database, table };
  const rehearsal = new Rehearsal(
    client,
    {
      ...{ scope, options, target, shadow, range, schemas },
      folder: folders[0] ?? '',
      named: request.keys !== null,
      sharedFolder: thaw.isShared(scope),
      hasForeign: input.hasLedger && (await knowsForeign(client, thaw, target)),
    },
    thaw.store,
    signal,
  );
  for (const batch of cut(archives, options.failFast)) {
    const keys = batch.map(({ key }) => key);
    const refs = await findArchives(thaw.store, folders, keys, signal);
    const outcome: LoadOutcome = await rehearsal.load(refs);
    results.record({ firstOrdinal: 0, archives: refs }, outcome);
    onArchives(batch.length, bytesOf(batch));
    if (options.failFast && results.tally.archives.failed > 0) break;
  }
  const { tally, failures, notices, columnNotes } = results;
  const seconds = (performance.now() - begun) / 1000;
  const outcome = {
    ...{ tally, failures, notices, columnNotes },
    error: onlyForeign(tally.archives, table),
    unforeseen: [...unforeseen(target, rehearsal.unfoundKeys), ...stopped(options, tally)],
    estimate: { seconds, diskBytes: await estimateGrowth(client, target.oid, shadow, tally.rows) },
  };
  return { outcome, target, shadow };
}

/** The first archive that fails is the last here; a restore has others in flight then. */
function stopped({ failFast }: RestoreOptions, { archives }: Tally): string[] {
  if (!failFast || archives.failed === 0) return [];
  return [
    'With --fail-fast nothing starts after the archive that failed; what a restore has in flight then is loaded besides.',
  ];
}

async function makeShadow(client: pg.Client, target: TargetTable, place: number): Promise<Shadow> {
  try {
    return await inTransaction(client, () => createShadow(client, target, place));
  } catch (error) {
    throw databaseError(error, { object: `${target.schema}.${target.table}` });
  }
}

async function knowsForeign(client: pg.Client, { store }: ThawContext, target: TargetTable) {
  const held = { oid: target.rootOid, epoch: 0, ordered: target.hasUnique };
  return hasForeign(client, { target: held, store: store.name });
}

/** The first archive that fails is the last, where a restore would start nothing more. */
function cut(archives: readonly ObjectInfo[], failFast: boolean): ObjectInfo[][] {
  const batches: ObjectInfo[][] = [];
  for (const archive of archives) {
    const last = batches.at(-1);
    const fits =
      last !== undefined &&
      !failFast &&
      last.length < batchArchives &&
      bytesOf(last) + archive.bytes <= batchBytes;
    if (fits) last.push(archive);
    else batches.push([archive]);
  }
  return batches;
}

function bytesOf(archives: readonly { readonly bytes: number }[]): number {
  return archives.reduce((sum, { bytes }) => sum + bytes, 0);
}
