import type pg from 'pg';
import { archiveKey } from '../contract/names.ts';
import type { WatermarkPosition } from '../contract/watermark.ts';
import { findRestored, type RestoredScope } from '../postgres/counted-archives.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { listPage } from './listing.ts';

/** Archives listed at a time. */
const pageSize = 1000;

/**
 * Goes along the archives of a table, in archive order, to the first that the ledger does not have as
 * restored: whatever lies behind it does not count.
 *
 * @param from where an earlier walk of the same restore came to
 */
export async function advancePosition(
  store: ObjectStore,
  client: pg.Client,
  ledger: RestoredScope,
  from: WatermarkPosition,
  signal: AbortSignal,
): Promise<WatermarkPosition> {
  const listing = { folders: ledger.folders, startDate: null, endDate: null, signal };
  const [folder = ''] = ledger.folders;
  let { cursor, lastKey } = from;
  for (;;) {
    const page = await listPage(store, listing, cursor, pageSize);
    const archives = page.archives.map(({ name, etag }) => ({ key: archiveKey(folder, name), etag }));
    const restored = await findRestored(client, ledger, archives);
    const gap = archives.findIndex(({ key }) => !restored.has(key));
    lastKey = (gap === -1 ? archives.at(-1) : archives[gap - 1])?.key ?? lastKey;
    if (gap !== -1 || page.next === null) return { cursor, lastKey };
    cursor = page.next;
  }
}
