import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FolderStore } from '../../src/store/folder-store.ts';
import { createFolderSite } from '../cli/folder-site.ts';
import { writeArchive } from '../harness/archive-writer.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'thaw-fallback-'));
});
afterEach(() => rm(root, { recursive: true }));

function storeOf(prefix = 'P/Q'): FolderStore {
  return new FolderStore({ kind: 'folder', path: root, prefix });
}

/** Lays an object where the archiver lays what it cannot upload. */
async function save(
  key: string,
  body: string | Buffer,
  at = '20260104_052021',
  folder = root,
): Promise<string> {
  const name = `${at}_${key.replaceAll(/[/\\]/g, '_')}`;
  await writeFile(join(folder, name), body);
  const told = { s3_key: key, original_path: '/tmp/x', saved_at: '2026-01-04T05:20:21+00:00', file_size: 1 };
  await writeFile(join(folder, `${name}.meta.json`), JSON.stringify({ ...told, metadata: { attempts: 3 } }));
  return name;
}

const folder = 'P/Q/my_db/a_table/year=2026/month=01/day=04';
const keyOf = (batch: number) => `${folder}/a_table_20260104T052021Z_batch_00${batch}.jsonl.gz`;

async function listed(store: FolderStore, prefix: string, limit?: number): Promise<string[]> {
  const keys: string[] = [];
  let after: string | null = null;
  do {
    const page = await store.list({ prefix, after, ...(limit === undefined ? {} : { limit }) });
    keys.push(...page.objects.map(({ key }) => key));
    after = page.next;
  } while (after !== null);
  return keys;
}

const text = async (store: FolderStore, key: string) => Buffer.from((await store.read(key)) ?? []).toString();

test('what was saved under flat names is found by its keys, in order with what lies there', async () => {
  const store = storeOf();
  expect(await listed(store, '')).toEqual([]);
  await save(keyOf(2), 'two');
  await store.write(keyOf(1), Buffer.from('one'));
  await save(keyOf(3), 'three');
  await save('P/Q/other/t/x.jsonl', 'other');

  expect(await listed(store, '')).toEqual([keyOf(1), keyOf(2), keyOf(3), 'P/Q/other/t/x.jsonl']);
  expect(await listed(store, 'P/Q/my_db/', 1)).toEqual([keyOf(1), keyOf(2), keyOf(3)]);
  expect((await store.list({ prefix: '', after: keyOf(2) })).objects).toMatchObject([
    { key: keyOf(3), bytes: 5 },
    { bytes: 5 },
  ]);
  expect(await text(store, keyOf(3))).toBe('three');
  const [object] = (await store.list({ prefix: '', after: keyOf(1) })).objects;
  expect((await store.open(keyOf(2), { etag: object?.etag ?? '' })).bytes).toBe(3);
});

test('of what was saved twice the later counts, and what lies at its path before both', async () => {
  const store = storeOf();
  await save(keyOf(1), 'later', '20260105_000000');
  await save(keyOf(1), 'earlier', '20260104_235959');
  expect(await text(store, keyOf(1))).toBe('later');
  await store.write(keyOf(1), Buffer.from('written'));
  expect(await text(store, keyOf(1))).toBe('written');
  expect(await listed(store, '')).toEqual([keyOf(1)]);
});

test('a key may have been saved without the prefix, and is told by the name where nothing else does', async () => {
  const store = storeOf();
  await save(keyOf(1).slice('P/Q/'.length), 'without');
  const lost = await save(keyOf(2), 'lost');
  await rm(join(root, `${lost}.meta.json`));
  const broken = await save(keyOf(3).replace('.jsonl.gz', '.metadata.json'), 'broken');
  await writeFile(join(root, `${broken}.meta.json`), '{"s3_key": ');
  // Nothing tells what these are.
  await writeFile(join(root, '20260104_052021_notes.txt'), 'x');
  await mkdir(join(root, 'sub'));
  await save(keyOf(4), 'deeper', undefined, join(root, 'sub'));

  expect(await listed(store, 'P/')).toEqual([
    keyOf(1),
    keyOf(2),
    keyOf(3).replace('.jsonl.gz', '.metadata.json'),
  ]);
  expect(await text(store, keyOf(2))).toBe('lost');
  expect(await listed(storeOf('elsewhere'), 'elsewhere/')).toEqual([keyOf(1).replace('P/Q/', 'elsewhere/')]);
});

test('commands take the fallback folder for a store', async () => {
  const site = await createFolderSite();
  try {
    const put = async (key: string, body: Buffer) => void (await save(key, body, undefined, site.folder));
    const rows = [{ id: 1 }, { id: 2 }];
    const at = { archivedAt: '2026-01-04T05:20:21+00:00', database: 'app', table: 'items', primaryKey: 'id' };
    const { key } = await writeArchive(put, { ...at, rows });
    expect((await site.thaw('list')).stdout).toMatch(/^app +items +1 +2 /m);
    expect(await site.thaw('validate', '--level', 'rows', '--s3-key', key)).toMatchObject({
      exitCode: 0,
    });
    expect((await site.thaw('export', '--table', 'items')).stdout).toBe('{"id": 1}\n{"id": 2}\n');
  } finally {
    await site.remove();
  }
});
