import type { ArchiveKey } from '../archive/key.ts';

/** One end of a period, inclusive. */
export interface Bound {
  /** `YYYY-MM-DD`, in UTC as the archiver's days are. */
  readonly day: string;
  /** `YYYYMMDDTHHMMSSZ` where a time was given; null: the whole day. */
  readonly moment: string | null;
}

/** When archives were made; null: open. With a bound, archives without a day are left out. */
export interface Period {
  readonly from: Bound | null;
  readonly to: Bound | null;
}

/** Any time. */
export const anyTime: Period = { from: null, to: null };

const dateOrTime = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:?\d{2})?)?$/;

/** Reads `2026-01-04` or `2026-01-04T05:20:21`, in UTC unless it names an offset; null where it is neither. */
export function parseBound(text: string): Bound | null {
  const [, day, time, zone] = dateOrTime.exec(text.trim()) ?? [];
  if (day === undefined) return null;
  const at = new Date(`${day}T${time ?? '00:00'}${zone ?? 'Z'}`);
  if (Number.isNaN(at.getTime()) || !new Date(`${day}T00:00Z`).toISOString().startsWith(day)) return null;
  const moment = `${at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  return time === undefined ? { day, moment: null } : { day: at.toISOString().slice(0, 10), moment };
}

/** Tells whether an archive was made within a period, by its key. */
export function isWithin({ day, timestamp }: ArchiveKey, { from, to }: Period): boolean {
  if (from === null && to === null) return true;
  if (day === null) return false;
  const place = ({ day: bound, moment }: Bound): number =>
    moment === null || timestamp === null ? compare(day, bound) : compare(timestamp, moment);
  return (from === null || place(from) >= 0) && (to === null || place(to) <= 0);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
