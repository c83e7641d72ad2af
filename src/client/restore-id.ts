import { createHash, randomInt } from 'node:crypto';
import { timedId } from '../contract/names.ts';

const base36 = '0123456789abcdefghijklmnopqrstuvwxyz';

/** A new restore's id, `YYYYMMDD-HHMMSS-` in UTC and six random characters: ids sort by time. */
export function newRestoreId(now: Date = new Date()): string {
  const random = Array.from({ length: 6 }, () => base36[randomInt(base36.length)]).join('');
  return timedId(now, random);
}

/**
 * What makes two requests the same one, asked twice: everything but the id. By it the same command finds the
 * restore that it began before it was killed.
 */
export function requestFingerprint<Request extends { readonly restoreId: string }>(request: Request): string {
  const { restoreId: _, ...rest } = request;
  return createHash('sha256').update(stableJson(rest)).digest('hex').slice(0, 32);
}

/** JSON with the keys of every object in order. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, node: unknown) =>
    typeof node === 'object' && node !== null && !Array.isArray(node)
      ? Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1)))
      : node,
  );
}
