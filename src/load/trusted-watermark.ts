import type pg from 'pg';
import { parseArchiveKey, tableFolders } from '../archive/key.ts';
import type { HeldTarget, PrepareTableInput } from '../contract/activities.ts';
import { archiveKey } from '../contract/names.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { Watermark } from '../contract/watermark.ts';
import { knowsRestored, type RestoredScope, trustArchives } from '../postgres/counted-archives.ts';
import { passes } from '../restore/watermark.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { listPage } from './listing.ts';
import type { ThawContext } from './thaw-context.ts';
import { WatermarkPlaces } from './watermark-places.ts';

/** Archives listed at a time. */
const pageSize = 1000;

/** What another tool wrote of a table, where it counts. */
export interface ForeignWatermark {
  /** Null: there is none, or the ledger knows better. */
  readonly watermark: Watermark | null;
  readonly notices: readonly string[];
}

/**
 * Looks for a watermark that another tool wrote. It names no target, so that beside a ledger that knows of
 * nothing restored only the user can tell whether it speaks of this table. It counts for restores that leave out
 * what was restored before.
 *
 * @param oid of the target
 * @throws ThawError `InputInvalid` where there is one, and the user has not told
 */
export async function findForeignWatermark(
  thaw: ThawContext,
  client: pg.Client,
  { scope, options, keys }: PrepareTableInput,
  oid: number,
): Promise<ForeignWatermark> {
  const { config, store } = thaw;
  const { restoreId, database, table } = scope;
  if (!config.restoreWatermark.enabled || options.ignoreWatermark || keys !== null) return noWatermark;
  const folders = tableFolders(config.store.prefix, database, table.table, table.schema);
  if (await knowsRestored(client, { restoreId, store: store.name, folders, target: { oid } }))
    return noWatermark;
  const { watermark, notices } = await new WatermarkPlaces(config, store, client, database).read(table.table);
  if (watermark === null || watermark.target !== null) return { watermark: null, notices };
  if (options.trustWatermark) return { watermark, notices };
  const target = `${table.intoSchema}.${table.intoTable}`;
  throw new ThawError(
    'InputInvalid',
    `${target}: a watermark of another tool says that the archives of ${table.table} are restored up to ` +
      `${watermark.lastRestoredDay}, and Thaw has restored none into this table.`,
    {
      object: target,
      hint: 'Give --trust-watermark to leave out the archives that it passes, or --ignore-watermark to restore them all.',
    },
  );
}

const noWatermark: ForeignWatermark = { watermark: null, notices: [] };

/** Tells that archives are left out for what a watermark of another tool says. */
export function trustNotice(archives: number): string {
  return `${archives} archives count as restored, as the watermark of another tool says (--trust-watermark).`;
}

/** Has the archives that a watermark passes count as restored. Gives a notice that tells how many. */
export async function trustWatermark(
  store: ObjectStore,
  client: pg.Client,
  ledger: RestoredScope & { readonly target: HeldTarget },
  watermark: Watermark,
  signal: AbortSignal,
): Promise<string> {
  const [folder = ''] = ledger.folders;
  let cursor: string | null = null;
  let count = 0;
  // All at once: a ledger that has some of them would make a later restore load the others.
  await client.query('begin');
  do {
    const listing = { folders: ledger.folders, startDate: null, endDate: null, signal };
    const page = await listPage(store, listing, cursor, pageSize);
    const trusted = page.archives
      .map(({ name, etag, bytes }) => ({ key: archiveKey(folder, name), etag, bytes }))
      .filter(({ key }) => passes(watermark, key, parseArchiveKey(key).day));
    await trustArchives(client, ledger, trusted);
    count += trusted.length;
    cursor = page.next;
  } while (cursor !== null);
  await client.query('commit');
  return trustNotice(count);
}
