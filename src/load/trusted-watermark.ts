import type pg from 'pg';
import { parseArchiveKey } from '../archive/key.ts';
import type { HeldTarget, TableScope } from '../contract/activities.ts';
import { archiveKey } from '../contract/names.ts';
import type { RestoreOptions } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { Watermark } from '../contract/watermark.ts';
import { knowsRestored, type RestoredScope, trustArchives } from '../postgres/counted-archives.ts';
import { passes } from '../restore/watermark.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { listPage } from './listing.ts';
import type { WatermarkPlaces } from './watermark-places.ts';

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
 * nothing restored only the user can tell whether it speaks of this table.
 *
 * @throws ThawError `InputInvalid` where there is one, and the user has not told
 */
export async function readForeignWatermark(
  client: pg.Client,
  places: WatermarkPlaces,
  ledger: RestoredScope,
  { table }: TableScope,
  { trustWatermark }: RestoreOptions,
): Promise<ForeignWatermark> {
  if (await knowsRestored(client, ledger)) return { watermark: null, notices: [] };
  const { watermark, notices } = await places.read(table.table);
  if (watermark === null || watermark.target !== null) return { watermark: null, notices };
  if (trustWatermark) return { watermark, notices };
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
  return `${count} archives count as restored, as the watermark of another tool says (--trust-watermark).`;
}
