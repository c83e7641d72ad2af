import type { ColumnNoteKind } from '../contract/outcome.ts';
import * as ascii from './ascii.ts';
import type { Encoder } from './encoder.ts';
import { type JsonValue, scalarText } from './json-value.ts';

// Python's calendar ends where these do; the driver of the archiver gives them for infinity.
const lastMoment = '9999-12-31T23:59:59.999999Z';
const firstMoment = '0001-01-01T00:00:00Z';

/** The last and the first value of a type in Python's calendar. */
export interface CalendarEnds {
  readonly last: string;
  readonly first: string;
}

/** Of `timestamp`, whose values the archiver puts a `Z` behind. */
export const momentEnds: CalendarEnds = { last: lastMoment, first: firstMoment };
/** Of `date`. */
export const dayEnds: CalendarEnds = { last: '9999-12-31', first: '0001-01-01' };

/** An offset that somebody put a `Z` behind: the archiver does so in `_archived_at`. */
const offsetAndZ = /([+-]\d\d:\d\d)Z$/;
const pythonDays = /^(-\d+) days?, (\d+:\d\d:\d\d(?:\.\d+)?)$/;

/**
 * A moment as PostgreSQL reads it. For `timestamptz` the driver gives infinity without an offset, so it
 * ends in `Z`, and the finite moment with `+00:00`: the two can be told apart.
 */
export function momentText(text: string): string {
  if (text === lastMoment) return 'infinity';
  if (text === firstMoment) return '-infinity';
  return text.replace(offsetAndZ, '$1');
}

/**
 * A `timestamp` or `date`, of which the ends of the calendar also stand for infinity, and nothing tells
 * which is meant: `note` is told of each.
 *
 * @param mapped gives infinity for them
 */
export function saturatedText(
  ends: CalendarEnds,
  mapped: boolean,
  note: (kind: ColumnNoteKind) => void,
): (text: string) => string {
  return (text) => {
    if (text !== ends.last && text !== ends.first) return text;
    note(mapped ? 'infinity_mapped' : 'infinity_kept');
    if (!mapped) return text;
    return text === ends.last ? 'infinity' : '-infinity';
  };
}

/**
 * An interval as PostgreSQL reads it under every IntervalStyle. Python writes minus one second as
 * `-1 day, 23:59:59`; with `intervalstyle = sql_standard` the one sign would count for both fields.
 */
export function intervalText(text: string): string {
  return text.replace(pythonDays, '$1 days +$2');
}

/** Moments: copied, and looked at only if they end in `Z`. */
export const encodeMoment: Encoder = (out, json, at) => {
  const start = out.length;
  const end = out.scalar(json, at);
  if (out.bytes[out.length - 1] === ascii.upperZ) {
    const text = out.bytes.toString('latin1', start, out.length);
    const meant = momentText(text);
    if (meant !== text) {
      out.length = start;
      out.text(meant);
    }
  }
  return end;
};

/** {@link saturatedText} by the bytes: only what begins like one of the ends is looked at. */
export function encodeSaturated(change: (text: string) => string): Encoder {
  return (out, json, at) => {
    const start = out.length;
    const end = out.scalar(json, at);
    const first = out.bytes[start];
    if (first !== ascii.nine && first !== ascii.zero) return end;
    const text = out.bytes.toString('latin1', start, out.length);
    const meant = change(text);
    if (meant !== text) {
      out.length = start;
      out.text(meant);
    }
    return end;
  };
}

/** Makes the function of a text into one of any value. */
export function textOfScalar(change: (text: string) => string): (value: JsonValue) => string | null {
  return (value) => (value === null ? null : change(scalarText(value)));
}
