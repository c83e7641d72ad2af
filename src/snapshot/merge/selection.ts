import type { SnapshotTableName } from '../../contract/snapshot.ts';
import type { SnapshotDifference } from '../../contract/snapshot-difference.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { selectionKey } from '../container/snapshot-keys.ts';
import type { SnapshotPlace } from '../container/stored-snapshots.ts';
import { type DiffHeader, differenceLine, headerLine } from './difference-file.ts';
import { type MarkedDifferences, openMarked } from './marked-differences.ts';

/** What of a diff was marked. */
export interface SelectionSummary {
  readonly header: DiffHeader;
  /** The tables that marked differences are of, in their order in the file. */
  readonly tables: readonly SnapshotTableName[];
  readonly differences: number;
}

/**
 * Goes through a file of differences to its end.
 *
 * @throws ThawError `InputInvalid` where it is none of a diff, or nothing in it is marked
 */
export async function inspectSelection(chunks: AsyncIterable<Uint8Array>): Promise<SelectionSummary> {
  const { header, marked } = await openMarked(chunks);
  const tables = new Map<string, SnapshotTableName>();
  let differences = 0;
  for await (const some of marked) {
    differences += some.length;
    for (const { schema, table } of some) tables.set(JSON.stringify([schema, table]), { schema, table });
  }
  if (differences > 0) return { header, tables: [...tables.values()], differences };
  throw new ThawError('InputInvalid', 'No difference is marked to be taken.', {
    object: '--selection',
    hint: 'Set "take" to true in the lines that are to be restored.',
  });
}

/**
 * Puts the marked ones of a file of differences where the worker of a restore reads them.
 *
 * @param name see `selectionKey`
 * @returns where they lie: for `SnapshotRequest.selection`
 * @throws ThawError `InputInvalid`, and those of the store
 */
export async function storeSelection(
  { store, prefix }: SnapshotPlace,
  name: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<string> {
  const key = selectionKey(prefix, name);
  const { header, marked } = await openMarked(chunks);
  await store.writeStream(key, linesOf(header, marked), 'application/x-ndjson');
  return key;
}

/** The marked differences that lie in the store. @throws ThawError those of the store, `InputInvalid` */
export async function openSelection(
  { store }: { readonly store: Pick<SnapshotPlace['store'], 'open'> },
  key: string,
  signal: AbortSignal,
): Promise<MarkedDifferences> {
  const { chunks } = await store.open(key, { signal });
  return openMarked(chunks);
}

async function* linesOf(
  header: DiffHeader,
  marked: AsyncIterable<readonly SnapshotDifference[]>,
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(headerLine(header));
  for await (const some of marked) {
    yield Buffer.from(some.map((difference) => differenceLine(difference, true)).join(''));
  }
}
