import type { TimeRange } from '../contract/time-range.ts';

const archivedTime = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?)?(Z|\+00:00Z?|\+0000)?$/;

/**
 * Tells whether no row of an archive can be within a range, by the `timestamp_range` of its metadata. What is
 * written in a way that leaves any doubt, such as a time without the zone that its column has, is not disjoint.
 *
 * The archiver appends a `Z` to times that have no zone, and to some that have their offset already.
 */
export function isDisjoint(
  range: TimeRange,
  archived: { readonly min: string | null; readonly max: string | null },
): boolean {
  const min = comparable(archived.min, range.zoned, '0');
  const max = comparable(archived.max, range.zoned, '9');
  if (min === null || max === null || min > max) return false;
  return (range.from !== null && max < range.from) || (range.to !== null && min >= range.to);
}

/** A time as texts compare in the order of time; what it does not say is filled up with a digit. */
function comparable(text: string | null, zoned: boolean, filling: '0' | '9'): string | null {
  const [matched, day, time, fraction = '', zone] = archivedTime.exec(text ?? '') ?? [];
  if (matched === undefined || (zoned && (zone === undefined || time === undefined))) return null;
  const rest = filling === '0' ? '00:00:00' : '23:59:59';
  return `${day}T${time ?? rest}.${fraction.padEnd(6, filling)}`;
}
