import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { archiveKey } from '../../src/contract/names.ts';
import { findArchives, type ListingScope, listPage } from '../../src/load/listing.ts';
import { FolderStore } from '../../src/store/folder-store.ts';

const folders = ['P/db/t/', 'P/db/public/t/'] as const;
const all = { folders, startDate: null, endDate: null };

let root: string;
let store: FolderStore;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'thaw-listing-'));
  store = new FolderStore({ kind: 'folder', path: root, prefix: 'P' });
});

afterAll(() => rm(root, { recursive: true }));

async function put(...keys: readonly string[]): Promise<void> {
  for (const key of keys) await store.write(key, Buffer.from('x'));
}

function archive(folder: string, day: string, second: string, batch: number): string {
  return `${folder}year=2026/month=01/day=${day}/t_202601${day}T0000${second}Z_batch_${String(batch).padStart(3, '0')}.jsonl.gz`;
}

/** The keys of every page. */
async function pagesOf(scope: ListingScope, size: number): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | null = null;
  do {
    const page = await listPage(store, scope, cursor, size);
    pages.push(page.archives.map(({ name }) => archiveKey(folders[0], name)));
    cursor = page.next;
  } while (cursor !== null);
  return pages;
}

test('gives archives of both folders in one order, whatever the size of a page', async () => {
  const [own, named] = folders;
  const ordered = [
    archive(own, '03', '00', 1),
    archive(named, '03', '00', 2),
    archive(own, '03', '00', 101),
    archive(named, '03', '00', 1000),
    archive(own, '04', '00', 1),
    archive(named, '04', '00', 1),
    archive(own, '04', '01', 1),
    archive(named, '05', '00', 1),
    archive(named, '06', '00', 1),
  ];
  const beside = ordered.map((key) => key.replace('.jsonl.gz', '.metadata.json'));
  const others = ['P/db/t_old/', 'P/db/public/t_old/', 'P/db/public/'].map((folder) =>
    archive(folder, '03', '00', 1),
  );
  await put(...ordered, ...beside, ...others);

  // Where names are the same, the bytes of the keys decide.
  const expected = ordered.with(4, archive(named, '04', '00', 1)).with(5, archive(own, '04', '00', 1));
  for (const size of [1, 2, 3, 4, 500])
    expect((await pagesOf(all, size)).flat(), `${size}`).toEqual(expected);
  // A page ends only where the second changes.
  expect((await pagesOf(all, 1)).map((page) => page.length)).toEqual([4, 2, 1, 1, 1]);
  expect((await pagesOf({ ...all, startDate: '2026-01-04', endDate: '2026-01-05' }, 2)).flat()).toEqual(
    expected.slice(4, 8),
  );
  expect((await listPage(store, all, null, 500)).archives.map(({ metadata }) => metadata)).toEqual(
    ordered.map(() => 'sibling'),
  );
});

test('gives each archive a name that its key comes back from', async () => {
  const [own, named] = folders;
  const keys = [archive(own, '03', '00', 1), archive(named, '03', '00', 2)];
  const signal = AbortSignal.timeout(10_000);
  const found = await findArchives(store, folders, keys.toReversed(), signal);
  expect(found.map(({ name }) => name)).toEqual([keys[0]?.slice(own.length), `/${keys[1]}`]);
  expect(found.map(({ name }) => archiveKey(own, name))).toEqual(keys);
});
