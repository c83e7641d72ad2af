import type pg from 'pg';
import { parseArchiveKey, tableFolders, tableOfKey } from '../archive/key.ts';
import { listTableArchives } from '../client/archive-list.ts';
import { type MetadataTotals, readArchiveFacts, totalsOf } from '../client/metadata-totals.ts';
import { configuredTables, findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { archiveKey } from '../contract/names.ts';
import type { RestoreOptions, RestoreRequest, TableRequest } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { checkTarget } from '../load/check-target.ts';
import { compareSchemas } from '../load/compare-schemas.ts';
import { ThawContext } from '../load/thaw-context.ts';
import { findForeignWatermark, trustNotice } from '../load/trusted-watermark.ts';
import { askedTarget } from '../postgres/asked-target.ts';
import { readTarget, type TargetTable } from '../postgres/catalog.ts';
import { findEarlier } from '../postgres/ledger.ts';
import { lockTimeout } from '../postgres/transaction.ts';
import { unkeptNotices } from '../postgres/unkept-rows.ts';
import { describeForeign } from '../restore/foreign.ts';
import { passes } from '../restore/watermark.ts';
import type { ObjectInfo, ObjectStore } from '../store/object-store.ts';
import { openStore } from '../store/open-store.ts';
import { describeDangling } from './dangling.ts';
import { asIfMade, makeTemporaryTarget } from './made-target.ts';
import {
  type Rehearsed,
  type RehearsedOutcome,
  rehearseTable,
  type TableToRehearse,
} from './rehearse-table.ts';
import { toBeMade, uncountable } from './unforeseen.ts';
import { verifyTables } from './verify-tables.ts';

/** What a restore would do to a table. */
export interface TablePreview {
  readonly table: TableRequest;
  /** What would be loaded, in archive order. */
  readonly archives: readonly ObjectInfo[];
  /** Archives that the ledger has as restored into the target before. */
  readonly earlier: number;
  /** Of the archives that would be loaded. */
  readonly totals: MetadataTotals;
  /** What came of loading them into temporary tables; null where that was not done. */
  readonly outcome: RehearsedOutcome | null;
  /** What the user should know of the target, or why nothing was counted. */
  readonly notices: readonly string[];
}

/** How a preview is made. */
export interface PreviewJob {
  readonly config: ThawConfig;
  /** Where passwords and access keys are looked for. */
  readonly env: NodeJS.ProcessEnv;
  /** Finds out by loading into temporary tables what would come of each row. */
  readonly detectConflicts: boolean;
  readonly signal: AbortSignal;
  /** Told how much there is of a table, before it is read. */
  readonly onExtent?: (archives: number, bytes: number) => void;
  /** Told of archives that were read. */
  readonly onArchives?: (archives: number, bytes: number) => void;
}

/**
 * Tells what a restore would load, by the listing, the metadata of the archives and the ledger of the target, and
 * where conflicts are detected what would come of each row. Changes nothing.
 *
 * @throws ThawError what listing the archives and looking at the targets raise, and what would end the restore
 */
export async function previewRestore(request: RestoreRequest, job: PreviewJob): Promise<TablePreview[]> {
  const { config, env, signal, onArchives = () => {} } = job;
  const database = findDatabase(config, request.database);
  const tables = request.tables ?? configuredTables(database);
  const store = openStore(config.store, env);
  try {
    const thaw = new ThawContext(config, store, env);
    return await thaw.withConnection(request, 'thaw/preview', signal, async (client) => {
      // Whoever locks a target must not hold the dry run up for ever.
      await client.query(`set lock_timeout = '${lockTimeout}'`);
      const looked: LookedAt[] = [];
      for (const table of tables) looked.push(await lookAt(client, thaw, request, table, job));
      const unsound = request.options.verifyFirst ? await verifyFirst(thaw, request, looked, signal) : null;
      if (unsound !== null) return unsound;
      const previews: TablePreview[] = [];
      const rehearsed = new Map<TablePreview, Rehearsed>();
      for (const [place, { preview, toRehearse, isMade }] of looked.entries()) {
        if (toRehearse === null) {
          previews.push(preview);
          continue;
        }
        const rehearsal = await rehearseTable(client, thaw, toRehearse, place, signal, onArchives);
        const { outcome, target } = rehearsal;
        const done = { ...preview, outcome: isMade ? asIfMade(outcome, target, preview.table) : outcome };
        previews.push(done);
        rehearsed.set(done, rehearsal);
      }
      // Only now: tables may refer to each other.
      const checked: TablePreview[] = [];
      for (const preview of previews) checked.push(await withDangling(client, preview, rehearsed));
      return checked;
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    store.close();
  }
}

/** Adds what the foreign keys of a table would make fail. */
async function withDangling(
  client: pg.Client,
  preview: TablePreview,
  rehearsed: ReadonlyMap<TablePreview, Rehearsed>,
): Promise<TablePreview> {
  const { outcome } = preview;
  const rehearsal = rehearsed.get(preview);
  if (outcome === null || rehearsal === undefined) return preview;
  const dangling = await describeDangling(client, rehearsal, [...rehearsed.values()]);
  return { ...preview, outcome: { ...outcome, unforeseen: [...outcome.unforeseen, ...dangling] } };
}

/** Nothing is loaded where archives of any table are not sound; null where all are, or none is read. */
async function verifyFirst(
  thaw: ThawContext,
  request: RestoreRequest,
  looked: readonly LookedAt[],
  signal: AbortSignal,
): Promise<TablePreview[] | null> {
  const tables = looked.flatMap(({ toRehearse }) => (toRehearse === null ? [] : [toRehearse]));
  const outcomes = await verifyTables(thaw, request, tables, signal);
  if (outcomes === null) return null;
  return looked.map(({ preview, toRehearse }) => {
    const outcome = toRehearse === null ? null : (outcomes[tables.indexOf(toRehearse)] ?? null);
    return { ...preview, outcome };
  });
}

/** A table, and what of it is to be rehearsed; null: nothing can or shall be. */
interface LookedAt {
  readonly preview: TablePreview;
  readonly toRehearse: TableToRehearse | null;
  /** The target is a temporary table, in place of one that is not there. */
  readonly isMade: boolean;
}

/** Tells what there is to load, by listing, metadata and ledger. */
async function lookAt(
  client: pg.Client,
  thaw: ThawContext,
  request: RestoreRequest,
  table: TableRequest,
  job: PreviewJob,
): Promise<LookedAt> {
  const { database, keys, options } = request;
  const { startDate, endDate } = options;
  const { store } = thaw;
  const { prefix } = thaw.config.store;
  const own = keys?.filter((key) => tableOfKey(key, prefix)?.table === table.table) ?? null;
  const folders = tableFolders(prefix, database, table.table, table.schema);
  const listed = await listTableArchives(store, prefix, folders, { keys: own, startDate, endDate });
  const found = await findTarget(client, table, options);
  const hasLedger = await knowsThaw(client);
  const isKnown = found !== null && hasLedger;
  const restored = isKnown ? await restoredEarlier(client, listed, found, store.name) : new Set<string>();
  const oid = found?.rootOid ?? 0;
  const trusted = await trustedArchives(thaw, client, request, table, oid, listed);
  const earlier = new Set([...restored, ...trusted.keys]);
  const archives = options.ignoreWatermark ? listed : listed.filter(({ key }) => !earlier.has(key));
  const { own: meant, totals, foreign } = await ofSchema(store, archives, own === null ? table.schema : null);
  const preview = { table, archives: meant, totals, earlier: earlier.size, outcome: null };
  const uncounted = (notices: readonly string[]) => ({
    preview: { ...preview, notices: [...describeForeign(foreign), ...notices] },
    toRehearse: null,
    isMade: false,
  });
  const made =
    found === null && job.detectConflicts
      ? await makeTemporaryTarget(client, thaw, request, table, job.signal)
      : null;
  const target = found ?? (made === null ? null : prepared(made.target, options));
  if (target === null) return uncounted([toBeMade(table)]);
  const pending = new Set(archives.map(({ key }) => key));
  const compared = await compareSchemas(thaw, { request, table, target, signal: job.signal }, async (refs) =>
    refs.filter(({ name }) => pending.has(archiveKey(folders[0] ?? '', name))),
  );
  const unkept = found === null ? [] : await unkeptNotices(client, found, options);
  const told = [...target.notices, ...unkept, ...trusted.notices, ...compared.notices];
  const notices = [...(made?.notices ?? []), ...told];
  const reason = uncountable(target);
  if (!job.detectConflicts) return uncounted(notices);
  if (reason !== null) return uncounted([...notices, reason]);
  const bytes = archives.reduce((sum, archive) => sum + archive.bytes, 0);
  job.onExtent?.(archives.length, bytes);
  const toRehearse = { request, table, target, archives, folders, hasLedger, schemas: compared.marks };
  return { preview: { ...preview, notices }, toRehearse, isMade: made !== null };
}

/**
 * Leaves out archives of the tables of this name in other schemas, which lie in the same folder.
 *
 * @param schema null: archives were asked for by their keys, and none is left out
 */
async function ofSchema(store: ObjectStore, archives: readonly ObjectInfo[], schema: string | null) {
  const keys = archives.map(({ key }) => key);
  const facts = await readArchiveFacts(store, keys);
  const isOwn = (place: number) => {
    const told = facts[place]?.schema ?? schema;
    return schema === null || told === schema;
  };
  const foreign: Record<string, number> = {};
  for (const [place, { schema: other }] of facts.entries()) {
    if (other !== null && !isOwn(place)) foreign[other] = (foreign[other] ?? 0) + 1;
  }
  return {
    own: archives.filter((_, place) => isOwn(place)),
    totals: totalsOf(facts.filter((_, place) => isOwn(place))),
    foreign: { restored: 0, earlier: 0, failed: 0, foreign },
  };
}

/** As the restore prepares it. */
function prepared(catalog: TargetTable, options: RestoreOptions): TargetTable {
  const target = askedTarget(catalog, options);
  checkTarget(target, options);
  return target;
}

/** Null: it is not there, and would be made. */
async function findTarget(
  client: pg.Client,
  { intoSchema, intoTable }: TableRequest,
  options: RestoreOptions,
): Promise<TargetTable | null> {
  try {
    return prepared(await readTarget(client, intoSchema, intoTable), options);
  } catch (error) {
    if (options.createTable && error instanceof ThawError && error.code === 'TargetMissing') return null;
    throw error;
  }
}

/** Archives that count as restored since a watermark of another tool is trusted. */
async function trustedArchives(
  thaw: ThawContext,
  client: pg.Client,
  { restoreId, fingerprint, database, keys, options }: RestoreRequest,
  table: TableRequest,
  oid: number,
  archives: readonly ObjectInfo[],
): Promise<{ readonly keys: readonly string[]; readonly notices: readonly string[] }> {
  const input = { scope: { restoreId, fingerprint, database, table }, options, keys };
  const { watermark, notices } = await findForeignWatermark(thaw, client, input, oid);
  if (watermark === null) return { keys: [], notices };
  const passed = archives
    .map(({ key }) => key)
    .filter((key) => passes(watermark, key, parseArchiveKey(key).day));
  return { keys: passed, notices: [...notices, trustNotice(passed.length)] };
}

/** Archives that any restore has restored into the target. */
async function restoredEarlier(
  client: pg.Client,
  archives: readonly ObjectInfo[],
  { rootOid, hasUnique }: TargetTable,
  store: string,
): Promise<ReadonlySet<string>> {
  const target = { oid: rootOid, epoch: 0, ordered: hasUnique };
  return findEarlier(client, { restoreId: '', target, store }, archives);
}

/** Whether Thaw was ever here. */
async function knowsThaw(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ known: boolean }>(
    `select to_regclass('thaw.archives') is not null as known`,
  );
  return rows[0]?.known ?? false;
}
