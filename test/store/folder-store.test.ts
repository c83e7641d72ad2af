import { appendFile, mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FolderStore } from '../../src/store/folder-store.ts';
import { bytesOf, objectStoreSuite } from './object-store-suite.ts';

let outside: string;
let root: string;
let store: FolderStore;

beforeAll(async () => {
  outside = await realpath(await mkdtemp(join(tmpdir(), 'thaw-folder-')));
  root = await mkdtemp(join(outside, 'root-'));
  await writeFile(join(outside, 'secret'), 'not yours');
  store = new FolderStore({ kind: 'folder', path: root, prefix: '' });
});

afterAll(() => rm(outside, { recursive: true }));

objectStoreSuite(() => store);

test('is called by its file URL', () => {
  expect(store.name).toBe(`file://${root}`);
});

test('lies in a folder of any name', async () => {
  const path = join(outside, 'my 100%41 #é?');
  await mkdir(path);
  const odd = new FolderStore({ kind: 'folder', path, prefix: 'P' });
  expect(odd.name).toBe(`file://${outside}/my%20100%2541%20%23%C3%A9%3F`);
  await odd.write('P/a b%.jsonl', Buffer.from('x'));
  expect((await odd.list({ prefix: 'P/' })).objects.map(({ key }) => key)).toEqual(['P/a b%.jsonl']);
  expect(await odd.read('P/a b%.jsonl')).toHaveLength(1);
});

test.each(['../secret', 'a/../../secret', '/etc/passwd', 'a//b', './x', 'x/', '', 'a\0b'])(
  'knows no object %j',
  async (key) => {
    expect(await store.read(key)).toBeNull();
    await expect(store.write(key, Buffer.from('x'))).rejects.toMatchObject({ code: 'ArchiveNotFound' });
  },
);

test('lists nothing outside of the folder', async () => {
  expect((await store.list({ prefix: '../' })).objects).toEqual([]);
  expect((await store.list({ prefix: 'a/../../' })).objects).toEqual([]);
});

test('follows no link', async () => {
  await symlink(join(outside, 'secret'), join(root, 'link'));
  await symlink(outside, join(root, 'linked'));
  expect(await store.read('link')).toBeNull();
  expect(await store.read('linked/secret')).toBeNull();
  await expect(store.write('linked/new', Buffer.from('x'))).rejects.toMatchObject({
    code: 'ArchiveNotFound',
  });
  expect((await store.list({ prefix: '' })).objects.map(({ key }) => key)).not.toContain('link');
  expect(await readdir(outside)).not.toContain('new');
});

test('may itself be reached over a link', async () => {
  await symlink(root, join(outside, 'alias'));
  await store.write('aliased/x', Buffer.from('x'));
  const alias = new FolderStore({ kind: 'folder', path: join(outside, 'alias'), prefix: '' });
  expect((await alias.list({ prefix: 'aliased/' })).objects.map(({ key }) => key)).toEqual(['aliased/x']);
  expect(await alias.read('aliased/x')).toHaveLength(1);
});

test('notices a file that is written to while it is read', async () => {
  await store.write('grows', Buffer.alloc(3 * 1024 * 1024));
  const body = await store.open('grows');
  await appendFile(join(root, 'grows'), 'more');
  await expect(bytesOf(body)).rejects.toMatchObject({ code: 'ArchiveChanged' });
});

test('leaves no draft behind', async () => {
  await store.write('draft/x', Buffer.from('1'));
  await store.write('draft/x', Buffer.from('2'));
  expect(await readdir(join(root, 'draft'))).toEqual(['x']);
});

test('says so when the folder is not there', async () => {
  const lost = new FolderStore({ kind: 'folder', path: join(outside, 'lost'), prefix: '' });
  const expected = { code: 'ConfigInvalid', message: `folder: ${join(outside, 'lost')} does not exist` };
  await expect(lost.list({ prefix: '' })).rejects.toMatchObject(expected);
  await expect(lost.read('x')).rejects.toMatchObject(expected);
});
