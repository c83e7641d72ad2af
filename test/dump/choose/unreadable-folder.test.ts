import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ServiceConfig } from '../../../src/config/thaw-config.ts';
import type { chooseDump as ChooseDump } from '../../../src/dump/choose/choose-dump.ts';
import type { FolderStore } from '../../../src/store/folder-store.ts';

let root: string;
let store: FolderStore;
let chooseDump: typeof ChooseDump;

beforeAll(async () => {
  // Whoever runs the tests may be root, who may read everything.
  vi.doMock('node:fs/promises', async (original) => {
    const real = await original<typeof import('node:fs/promises')>();
    const readdir = (path: string, ...rest: []) =>
      path.includes('/lost+found')
        ? Promise.reject(Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' }))
        : real.readdir(path, ...rest);
    return { ...real, readdir };
  });
  // Test files share their modules; only what is imported from here on has the one in its place.
  vi.resetModules();
  ({ chooseDump } = await import('../../../src/dump/choose/choose-dump.ts'));
  const folders = await import('../../../src/store/folder-store.ts');
  root = await mkdtemp(join(tmpdir(), 'thaw-unreadable-'));
  await mkdir(join(root, 'lost+found'));
  await mkdir(join(root, 'z'));
  await writeFile(join(root, 'argus_20231201_020000.sql.gz'), 'x');
  await writeFile(join(root, 'z', 'argus_20231202_020000.sql.gz'), 'x');
  store = new folders.FolderStore({ kind: 'folder', path: root, prefix: '' });
});

afterAll(async () => {
  vi.doUnmock('node:fs/promises');
  vi.resetModules();
  await rm(root, { recursive: true });
});

const service: ServiceConfig = {
  name: 'argus',
  connection: {
    ...{ name: 'argus_db', host: 'h', port: 5432, user: 'u', password: { secret: '' } },
    ...{ sslMode: 'prefer', sslRootCert: null, tables: [] },
  },
  ...{ maintenance: 'postgres', dumps: { kind: 'folder', path: '', prefix: '' }, filePrefix: null },
};

test('a folder among dumps that may not be read is passed over, and said', async () => {
  const newest = 'z/argus_20231202_020000.sql.gz';
  const older = 'argus_20231201_020000.sql.gz';
  const notices = [`${store.name}/lost+found/ may not be read: dumps in it are not listed.`];
  for (const choice of [{ kind: 'latest', before: null } as const, { kind: 'key', key: newest } as const]) {
    const chosen = await chooseDump(store, service, choice, 1);
    expect(chosen.candidates.map(({ key }) => key)).toEqual([newest, older]);
    expect(chosen.notices).toEqual(notices);
  }
});

test('a folder among archives that may not be read is an error, as rows would be missing', async () => {
  await expect(store.list({ prefix: '' })).rejects.toMatchObject({ code: 'PermissionDenied' });
  await expect(store.list({ prefix: 'lost+found/', onUnreadable: () => {} })).rejects.toMatchObject({
    code: 'PermissionDenied',
  });
});
