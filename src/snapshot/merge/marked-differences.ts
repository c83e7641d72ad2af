import { z } from 'zod';
import {
  differenceKinds,
  type RowText,
  type SnapshotDifference,
} from '../../contract/snapshot-difference.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { type DiffHeader, parseHeader } from './difference-file.ts';

/** Differences that are given at a time. */
const batch = 500;

const rowForm = z.custom<RowText | null>(isRow);

const lineForm = z.object({
  take: z.boolean(),
  schema: z.string(),
  table: z.string(),
  kind: z.enum(differenceKinds),
  key: rowForm,
  before: rowForm,
  after: rowForm,
});

/** A file of differences, some of which are marked. */
export interface MarkedDifferences {
  readonly header: DiffHeader;
  /**
   * Those that are marked, some hundreds at a time, to be gone through once.
   *
   * Throws `InputInvalid` with the line that is none of a diff.
   */
  readonly marked: AsyncIterable<readonly SnapshotDifference[]>;
}

/**
 * Begins to read a file that a diff wrote.
 *
 * @throws ThawError `InputInvalid` where its first line is not that of one; what reading the chunks throws
 */
export async function openMarked(chunks: AsyncIterable<Uint8Array>): Promise<MarkedDifferences> {
  const rest = lines(chunks);
  const first = await rest.next();
  const header = readLine(1, () => parseHeader(first.done === true ? '' : first.value));
  return { header, marked: markedOf(rest) };
}

async function* markedOf(rest: AsyncIterable<string>): AsyncGenerator<readonly SnapshotDifference[]> {
  let marked: SnapshotDifference[] = [];
  let number = 1;
  for await (const line of rest) {
    number += 1;
    if (line.trim() === '') continue;
    const { take, ...difference } = readLine(number, () => lineForm.parse(JSON.parse(line)));
    if (take) marked.push(difference);
    if (marked.length < batch) continue;
    yield marked;
    marked = [];
  }
  if (marked.length > 0) yield marked;
}

/** What lies between newlines: other line separators of Unicode may be in values. */
async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
  yield rest + decoder.decode();
}

function readLine<Result>(line: number, read: () => Result): Result {
  try {
    return read();
  } catch {
    // What zod and JSON.parse say repeats values of the row.
    throw new ThawError(
      'InputInvalid',
      `Line ${line} of the marked differences is not one that a diff wrote.`,
      {
        line,
        stage: 'merge',
        hint: 'Change nothing in the file but "take", or write the diff again.',
      },
    );
  }
}

/** By hand, as zod passes over a column of the name `__proto__`. */
function isRow(value: unknown): boolean {
  if (value === null) return true;
  if (typeof value !== 'object' || Array.isArray(value)) return false;
  return Object.values(value).every((text) => text === null || typeof text === 'string');
}
