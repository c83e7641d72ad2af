import { z } from 'zod';
import { differenceKinds, type SnapshotDifference } from '../../contract/snapshot-difference.ts';
import { ThawError } from '../../contract/thaw-error.ts';

/** Differences that are given at a time. */
const batch = 500;

const rowSchema = z.record(z.string(), z.string().nullable()).nullable();

const lineSchema = z.object({
  take: z.boolean(),
  schema: z.string(),
  table: z.string(),
  kind: z.enum(differenceKinds),
  key: rowSchema,
  before: rowSchema,
  after: rowSchema,
});

/** A line for a difference, to be marked with `"take": true` by whoever wants it. */
export function differenceLine(difference: SnapshotDifference): string {
  return `${JSON.stringify({ take: false, ...difference })}\n`;
}

/**
 * Gives the differences that were marked in a file of {@link differenceLine}s, some hundreds at a time.
 *
 * @throws ThawError `InputInvalid` with the line that is none
 */
export async function* readMarked(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly SnapshotDifference[]> {
  let marked: SnapshotDifference[] = [];
  let number = 0;
  for await (const line of lines(chunks)) {
    number += 1;
    if (line.trim() === '') continue;
    const { take, ...difference } = parseLine(line, number);
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

function parseLine(line: string, number: number): z.infer<typeof lineSchema> {
  try {
    return lineSchema.parse(JSON.parse(line));
  } catch {
    // What zod and JSON.parse say repeats values of the row.
    throw new ThawError(
      'InputInvalid',
      `Line ${number} of the marked differences is not one that a diff wrote.`,
      {
        line: number,
        stage: 'merge',
        hint: 'Change nothing in the file but "take", or write the diff again.',
      },
    );
  }
}
