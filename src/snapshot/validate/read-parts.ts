import { newline } from '../../archive/ascii.ts';
import type { SnapshotIssue } from '../../contract/snapshot-validation.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { RowsPart, RowsSource } from '../read/rows-source.ts';

/** Parts that are read at the same time. */
const lanes = 4;

/** Files and tables that are named. */
const mostTold = 100;

/**
 * Reads all rows of a source to their ends and keeps none of them, so that every file that is damaged, missing or of
 * another number of rows is told, not only the first.
 *
 * @throws ThawError what may be another time, such as `StoreUnavailable`; the signal's reason
 */
export async function readParts(source: RowsSource, signal: AbortSignal): Promise<SnapshotIssue[]> {
  const found = new Map<number, SnapshotIssue>();
  const rows = new Map<string, number>();
  const parts = source.parts.entries();
  const read = async () => {
    for (const [place, part] of parts) {
      try {
        await readPart(part, rows, signal);
      } catch (error) {
        found.set(place, issueOf(error, signal));
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, read));
  const issues = [...found].sort(([a], [b]) => a - b).map(([, issue]) => issue);
  // The rows of other sources are counted by what says how many there are.
  if (source.encoding === 'pg-text' && issues.length === 0) {
    for (const { name, rows: told } of source.tables) {
      const found = rows.get(name) ?? 0;
      if (found === told) continue;
      const issue = `${name}: ${found} rows were read, and the snapshot tells of ${told}`;
      issues.push({ issue, code: 'CountMismatch', object: name });
    }
  }
  const left = issues.length - mostTold;
  if (left <= 0) return issues;
  const more: SnapshotIssue = { issue: `and ${left} more like these`, code: 'ArchiveCorrupt', object: null };
  return [...issues.slice(0, mostTold), more];
}

/** An error as an issue. @throws it, where the snapshot is not to blame */
export function issueOf(error: unknown, signal: AbortSignal): SnapshotIssue {
  signal.throwIfAborted();
  if (!(error instanceof ThawError) || error.retryable || error.code === 'ConfigInvalid') throw error;
  const { message, code, object } = error;
  return { issue: message.replace(/\.$/, ''), code, object: object ?? null };
}

async function readPart(part: RowsPart, rows: Map<string, number>, signal: AbortSignal): Promise<void> {
  for await (const { table, lines } of part.read(signal)) {
    signal.throwIfAborted();
    let count = 0;
    for (let at = lines.indexOf(newline); at !== -1; at = lines.indexOf(newline, at + 1)) count += 1;
    rows.set(table, (rows.get(table) ?? 0) + count);
  }
}
