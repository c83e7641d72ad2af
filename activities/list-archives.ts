import { Context } from '@temporalio/activity';
import type pg from 'pg';
import { tableFolders } from '../src/archive/key.ts';
import type { Activities, ArchivePage, ArchiveRef, ListArchivesInput } from '../src/contract/activities.ts';
import { archiveKey } from '../src/contract/names.ts';
import { wholeKeys } from '../src/load/archived-schemas.ts';
import { findArchives, type ListedPage, listPage } from '../src/load/listing.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { findEarlier } from '../src/postgres/ledger.ts';
import { withHeartbeats } from './heartbeat.ts';

/** Gives a page of archives with sizes and entity tags, without those restored earlier. */
export function listArchives(thaw: ThawContext): Activities['listArchives'] {
  return async (input) =>
    withHeartbeats(
      () => 'listing',
      () => pendingPage(thaw, input, Context.current().cancellationSignal),
    );
}

/** Gives a page of archives, without those restored earlier. */
export async function pendingPage(
  thaw: ThawContext,
  input: ListArchivesInput,
  signal: AbortSignal,
): Promise<ArchivePage> {
  const folders = foldersOf(thaw, input);
  const [folder = ''] = folders;
  const page = await nextPage(thaw, input, folders, signal);
  const left = await pendingIn(thaw, input, folder, page.archives, signal);
  return {
    folder,
    archives: left,
    earlier: { archives: page.archives.length - left.length, bytes: bytesOf(page.archives) - bytesOf(left) },
    next: page.next,
  };
}

async function pendingIn(
  thaw: ThawContext,
  input: ListArchivesInput,
  folder: string,
  archives: readonly ArchiveRef[],
  signal: AbortSignal,
): Promise<readonly ArchiveRef[]> {
  const { scope, options } = input;
  if (options.ignoreWatermark || archives.length === 0) return archives;
  return thaw.withConnection(scope, `thaw/${scope.restoreId}/list`, signal, (client) =>
    pendingOf(client, thaw, input, folder, archives),
  );
}

/** The first is the one that names are relative to. */
function foldersOf(thaw: ThawContext, { scope }: ListArchivesInput): readonly string[] {
  thaw.checkFingerprint(scope);
  return tableFolders(thaw.config.store.prefix, scope.database, scope.table.table, scope.table.schema);
}

async function nextPage(
  thaw: ThawContext,
  input: ListArchivesInput,
  folders: readonly string[],
  signal: AbortSignal,
): Promise<Pick<ListedPage, 'archives' | 'next'>> {
  const { startDate, endDate } = input.options;
  if (input.keys === null) {
    return listPage(thaw.store, { folders, startDate, endDate, signal }, input.cursor, input.pageSize);
  }
  const keys = wholeKeys(input.keys, thaw.config.store.prefix, folders);
  return { archives: await findArchives(thaw.store, folders, keys, signal), next: null };
}

/** Those of some archives that no other restore has restored into the target already. */
export async function pendingOf(
  client: pg.Client,
  thaw: ThawContext,
  { scope, target, options }: Pick<ListArchivesInput, 'scope' | 'target' | 'options'>,
  folder: string,
  archives: readonly ArchiveRef[],
): Promise<readonly ArchiveRef[]> {
  if (options.ignoreWatermark) return archives;
  const earlier = await findEarlier(
    client,
    { restoreId: scope.restoreId, target, store: thaw.store.name },
    archives.map(({ name, etag }) => ({ key: archiveKey(folder, name), etag })),
  );
  return archives.filter(({ name }) => !earlier.has(archiveKey(folder, name)));
}

function bytesOf(archives: readonly ArchiveRef[]): number {
  return archives.reduce((sum, { bytes }) => sum + bytes, 0);
}
