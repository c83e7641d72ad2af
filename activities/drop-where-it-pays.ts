import type pg from 'pg';
import type { HeldTarget, PrepareTableInput } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import type { TargetTable } from '../src/postgres/catalog.ts';
import { dropIndexes, hasDroppableIndexes, tableBytes } from '../src/postgres/indexes.ts';
import { formatBytes } from '../src/restore/format.ts';
import { worthDropping } from '../src/restore/index-drop.ts';
import { pendingPage } from './list-archives.ts';

/** Archives listed at a time. */
const pageSize = 1000;

/** Drops indexes where the restore asks for it, and where it leaves that to Thaw, pays. Gives notices. */
export async function dropWhereItPays(
  thaw: ThawContext,
  client: pg.Client,
  target: TargetTable,
  held: HeldTarget,
  input: PrepareTableInput,
): Promise<readonly string[]> {
  const { scope, options } = input;
  if (options.dropIndexes === 'never') return [];
  if (options.dropIndexes === 'when_it_pays' && (await hasDroppableIndexes(client, target))) {
    const there = await tableBytes(client, target);
    const enough = worthDropping(there);
    const bytes = await pendingBytes(thaw, held, input, enough);
    if (bytes < enough) return [keeps(target, there, bytes)];
  }
  return (await dropIndexes(client, target, scope.restoreId)).notices;
}

/** Compressed bytes that are still to be restored; counts no further than to `enough`. */
async function pendingBytes(
  thaw: ThawContext,
  target: HeldTarget,
  { scope, options, keys }: PrepareTableInput,
  enough: number,
): Promise<number> {
  const { signal } = new AbortController();
  let bytes = 0;
  let cursor: string | null = null;
  while (bytes < enough) {
    const page = await pendingPage(thaw, { scope, target, options, keys, cursor, pageSize }, signal);
    for (const archive of page.archives) bytes += archive.bytes;
    if (page.next === null) return bytes;
    cursor = page.next;
  }
  return bytes;
}

function keeps({ schema, table }: TargetTable, there: number, bytes: number): string {
  return (
    `The indexes of ${schema}.${table} stay: the table has ${formatBytes(there)}, and the archives bring ` +
    `${formatBytes(bytes)} compressed, so to build them again would take longer than to keep them up. ` +
    '--drop-indexes=always drops them all the same.'
  );
}
