import { z } from 'zod';
import type { SnapshotSource, TenantPart } from '../../contract/snapshot.ts';
import type { RowText, SnapshotDifference } from '../../contract/snapshot-difference.ts';
import type { PointInTime } from '../../contract/snapshot-replay.ts';
import { printable } from '../../restore/printable.ts';

/** What a file of differences is of: its first line. */
export interface DiffHeader {
  /** `databases[].name` */
  readonly database: string;
  readonly source: SnapshotSource;
  readonly tenant: TenantPart | null;
  /** The time that the snapshot was brought forward to; null: its own. @default null */
  readonly pointInTime?: PointInTime | null;
  /** What the tables were known by, for `--if-unchanged`. */
  readonly ifUnchanged: string;
}

/** Of the lines of the file. */
const version = 1;

const text = z.string();
const headerForm = z
  .object({
    thaw_diff: z.literal(version),
    database: text,
    source: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('stored'), id: text }),
      z.object({ kind: z.literal('table'), id: text }),
      z.object({ kind: z.literal('object'), key: text }),
    ]),
    tenant: z.object({ column: text, value: text }).nullable(),
    point_in_time: z
      .object({
        to: text,
        log: z.object({ schema: text, table: text }),
        since: text.nullable(),
        acceptFaults: z.boolean(),
      })
      .nullable(),
    if_unchanged: text,
  })
  .transform(
    ({ point_in_time: pointInTime, if_unchanged: ifUnchanged, database, source, tenant }): DiffHeader => ({
      ...{ database, source, tenant, pointInTime, ifUnchanged },
    }),
  );

/** The first line, which also tells whoever opens the file what to do with it. */
export function headerLine({ ifUnchanged, pointInTime = null, ...header }: DiffHeader): string {
  const help = 'Set "take" to true in each line that is to be restored, and change nothing else.';
  return lineOf({
    ...{ thaw_diff: version, help, ...header },
    ...{ point_in_time: pointInTime, if_unchanged: ifUnchanged },
  });
}

/** @throws what `JSON.parse` and zod do, for what is no first line */
export function parseHeader(line: string): DiffHeader {
  return headerForm.parse(JSON.parse(line));
}

/** A line for a difference, to be marked with `"take": true` by whoever wants it. What differs in a row stands by name. */
export function differenceLine(difference: SnapshotDifference, take = false): string {
  const { kind, schema, table, key, before, after } = difference;
  const changed = before !== null && after !== null ? { changed: changedColumns(before, after) } : {};
  return lineOf({ take, kind, schema, table, key, ...changed, before, after });
}

/** The columns whose values differ, in their order. */
export function changedColumns(before: RowText, after: RowText): string[] {
  return Object.keys(after).filter((name) => before[name] !== after[name]);
}

/** Values may come from anybody: nothing of them acts on a terminal, or ends the line for an editor. */
function lineOf(value: object): string {
  return `${printable(JSON.stringify(value))}\n`;
}
