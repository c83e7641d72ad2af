import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FolderStore } from '../../src/store/folder-store.ts';
import { type Found, findNamedArchive, takeInventory } from '../../src/validate/inventory.ts';
import { anyTime } from '../../src/validate/period.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'thaw-inventory-'));
});
afterEach(() => rm(root, { recursive: true }));

async function objects(...keys: string[]): Promise<FolderStore> {
  for (const key of keys) {
    await mkdir(path.dirname(path.join(root, key)), { recursive: true });
    await writeFile(path.join(root, key), 'x');
  }
  return new FolderStore({ kind: 'folder', path: root, prefix: 'P' });
}

async function inventory(store: FolderStore, folder = 'P/'): Promise<Found[]> {
  const found: Found[] = [];
  for await (const each of takeInventory(store, { folder, period: anyTime })) found.push(each);
  return found;
}

/** Keys of what was found, with what belongs to it. */
function shape(found: readonly Found[]): unknown[] {
  return found.map((each) =>
    each.kind === 'orphan' ? ['orphan', each.key] : [each.key, each.metadataKey, each.manifestKey],
  );
}

it('puts together what belongs together, in either form of the metadata', async () => {
  const store = await objects(
    'P/db/t/d/t_batch_1.jsonl.gz',
    'P/db/t/d/t_batch_1.manifest.json',
    'P/db/t/d/t_batch_1.metadata.json',
    'P/db/t/d/t_batch_10.jsonl.gz',
    'P/db/t/d/t_batch_10.jsonl.gz.metadata.json',
    'P/db/t/.watermark.json',
    'P/audit/year=2026/x_archive_start.json',
  );
  expect(shape(await inventory(store))).toEqual([
    ['P/db/t/d/t_batch_1.jsonl.gz', 'P/db/t/d/t_batch_1.metadata.json', 'P/db/t/d/t_batch_1.manifest.json'],
    ['P/db/t/d/t_batch_10.jsonl.gz', 'P/db/t/d/t_batch_10.jsonl.gz.metadata.json', null],
  ]);
});

it('finds data without metadata, and metadata and manifests without data', async () => {
  const store = await objects(
    'P/db/t/d/t_batch_1.jsonl.gz',
    'P/db/t/d/t_batch_2.metadata.json',
    'P/db/t/d/t_batch_3.manifest.json',
    'P/db/t/d/t_batch_4.jsonl.gz.metadata.json',
  );
  expect(shape(await inventory(store))).toEqual([
    ['P/db/t/d/t_batch_1.jsonl.gz', null, null],
    ['orphan', 'P/db/t/d/t_batch_2.metadata.json'],
    ['orphan', 'P/db/t/d/t_batch_3.manifest.json'],
    ['orphan', 'P/db/t/d/t_batch_4.jsonl.gz.metadata.json'],
  ]);
});

it('is not led astray by a dot in the name of a table', async () => {
  const store = await objects(
    'P/db/t/d/a.b_1.jsonl.gz',
    'P/db/t/d/a.b_1.metadata.json',
    'P/db/t/d/a.jsonl.gz',
    'P/db/t/d/a.l.jsonl.gz',
    'P/db/t/d/a.metadata.json',
  );
  expect(shape(await inventory(store))).toEqual([
    ['P/db/t/d/a.b_1.jsonl.gz', 'P/db/t/d/a.b_1.metadata.json', null],
    ['P/db/t/d/a.jsonl.gz', 'P/db/t/d/a.metadata.json', null],
    ['P/db/t/d/a.l.jsonl.gz', null, null],
  ]);
});

it('looks at one table without its siblings of a longer name', async () => {
  const store = await objects('P/db/t/d/t_1.jsonl.gz', 'P/db/t_old/d/t_old_1.jsonl.gz');
  expect(shape(await inventory(store, 'P/db/t/'))).toEqual([['P/db/t/d/t_1.jsonl.gz', null, null]]);
});

it('finds an archive by its key, with or without prefix', async () => {
  const store = await objects(
    'P/db/t/d/t_1.jsonl.gz',
    'P/db/t/d/t_1.metadata.json',
    'P/db/t/d/t_10.jsonl.gz',
  );
  for (const key of ['P/db/t/d/t_1.jsonl.gz', 'db/t/d/t_1.jsonl.gz']) {
    expect(await findNamedArchive(store, key, 'P')).toMatchObject({
      key: 'P/db/t/d/t_1.jsonl.gz',
      metadataKey: 'P/db/t/d/t_1.metadata.json',
    });
  }
  await expect(findNamedArchive(store, 'db/t/d/t_1.metadata.json', 'P')).rejects.toThrow(
    'there is no such archive',
  );
});
