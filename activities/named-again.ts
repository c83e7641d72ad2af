import type pg from 'pg';
import { parseArchiveKey } from '../src/archive/key.ts';
import type { HeldTarget, PrepareTableInput, TableScope } from '../src/contract/activities.ts';
import { archiveKey } from '../src/contract/names.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { WatermarkPlaces } from '../src/load/watermark-places.ts';
import { findEarlier } from '../src/postgres/ledger.ts';
import { passes } from '../src/restore/watermark.ts';
import { pendingPage } from './list-archives.ts';

/**
 * Archives that are named by their keys are restored whatever ledger and watermark say. Gives notices of those
 * that one of the two has as restored.
 */
export async function namedAgain(
  thaw: ThawContext,
  client: pg.Client,
  target: HeldTarget,
  { scope, options, keys }: PrepareTableInput,
): Promise<readonly string[]> {
  if (keys === null) return [];
  const { signal } = new AbortController();
  const all = { ...options, ignoreWatermark: true };
  const listing = { scope, target, options: all, keys, cursor: null, pageSize: keys.length };
  const { folder, archives } = await pendingPage(thaw, listing, signal);
  const named = archives.map(({ name, etag }) => ({ key: archiveKey(folder, name), etag }));
  const ledger = { restoreId: scope.restoreId, target, store: thaw.store.name };
  const restored = await findEarlier(client, ledger, named);
  const others = named.map(({ key }) => key).filter((key) => !restored.has(key));
  const passed = await passedByWatermark(thaw, client, target, scope, others);
  return [...notice('ledger', [...restored], named.length), ...notice('watermark', passed, named.length)];
}

async function passedByWatermark(
  { config, store }: ThawContext,
  client: pg.Client,
  { oid }: HeldTarget,
  { database, table }: TableScope,
  keys: readonly string[],
): Promise<readonly string[]> {
  if (!config.restoreWatermark.enabled || keys.length === 0) return [];
  const places = new WatermarkPlaces(config, store, client, database);
  const { watermark } = await places.read(table.table);
  if (watermark === null) return [];
  const isOfOther = watermark.target !== null && watermark.target !== places.targetOf(table, oid);
  return isOfOther ? [] : keys.filter((key) => passes(watermark, key, parseArchiveKey(key).day));
}

function notice(by: 'ledger' | 'watermark', keys: readonly string[], named: number): string[] {
  const [first] = keys;
  if (first === undefined) return [];
  const which = named === 1 ? first : `${keys.length} of ${named} archives`;
  return [`Restored again, as named by key, though the ${by} has it as restored: ${which}`];
}
