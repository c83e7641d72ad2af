import { compareArchiveOrder } from '../archive/key.ts';
import type { Watermark } from '../contract/watermark.ts';

/**
 * Key of the object.
 *
 * @param folder of the table's archives, ending in `/`
 */
export function watermarkKey(folder: string): string {
  return `${folder}.restore_watermark.json`;
}

/**
 * Reads the object. Both tools take one that cannot be read for none.
 *
 * @returns null where it is not a watermark
 */
export function parseWatermark(bytes: Uint8Array): Watermark | null {
  const fields = parseObject(bytes);
  if (fields === null) return null;
  const { database, table, last_restored_date: date, last_restored_s3_key: key, target } = fields;
  const day = typeof date === 'string' ? dayOf(date) : null;
  if (typeof database !== 'string' || typeof table !== 'string' || typeof key !== 'string' || day === null) {
    return null;
  }
  const total = fields.total_archives_restored;
  return {
    database,
    table,
    lastRestoredDay: day,
    lastRestoredKey: key,
    totalArchives: typeof total === 'number' ? total : 0,
    target: typeof target === 'string' ? target : null,
  };
}

/**
 * Writes the object as the archiver's tool does: indented by 2, the day at midnight UTC.
 *
 * @param now of `updated_at`
 */
export function formatWatermark(watermark: Watermark, now: Date): string {
  const { database, table, lastRestoredDay, lastRestoredKey, totalArchives, target } = watermark;
  const document = {
    version: '1.0',
    database,
    table,
    last_restored_date: `${lastRestoredDay}T00:00:00+00:00`,
    last_restored_s3_key: lastRestoredKey,
    total_archives_restored: totalArchives,
    updated_at: now.toISOString().replace('Z', '000+00:00'),
    ...(target === null ? {} : { target }),
  };
  return JSON.stringify(document, null, 2);
}

/**
 * Whether a watermark of another tool holds an archive for restored, as that tool decides: an earlier day
 * is, a later one is not, and of its own day only the archive that it names.
 *
 * @param day of archiving; null where the key tells none, and then it is not
 */
export function passes(watermark: Watermark, key: string, day: string | null): boolean {
  if (day === null) return false;
  return day < watermark.lastRestoredDay || key === watermark.lastRestoredKey;
}

/**
 * What is to be written in place of a watermark. It never goes back: one that is ahead already, of this target
 * or of another tool, keeps its place. Only one of another target says nothing about this one.
 *
 * @param wanted what the ledger gives; null when the very first archive is missing there
 * @param total archives that the ledger has as restored
 * @returns null where nothing changes
 */
export function nextWatermark(
  current: Watermark | null,
  wanted: Watermark | null,
  target: string,
  total: number,
): Watermark | null {
  const isOurs = current?.target === target;
  const counts = current !== null && (isOurs || current.target === null);
  if (wanted === null || (counts && isAhead(current, wanted))) {
    return isOurs && current.totalArchives !== total ? { ...current, totalArchives: total } : null;
  }
  const isSame =
    isOurs && current.lastRestoredKey === wanted.lastRestoredKey && current.totalArchives === total;
  return isSame ? null : wanted;
}

function isAhead(current: Watermark, wanted: Watermark): boolean {
  if (current.lastRestoredDay !== wanted.lastRestoredDay)
    return current.lastRestoredDay > wanted.lastRestoredDay;
  return compareArchiveOrder(current.lastRestoredKey, wanted.lastRestoredKey) > 0;
}

function parseObject(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** The day in UTC of `2026-01-04T00:00:00+00:00`, also with `Z` or without a zone; null where it is no time. */
function dayOf(date: string): string | null {
  const [, day, time = 'T00:00:00', zone = 'Z'] =
    /^(\d{4}-\d{2}-\d{2})([T ][\d:.]+)?(Z|[+-]\d{2}:?\d{2})?$/.exec(date) ?? [];
  if (day === undefined) return null;
  const moment = new Date(`${day}${time.replace(' ', 'T')}${zone}`);
  return Number.isNaN(moment.getTime()) ? null : moment.toISOString().slice(0, 10);
}
