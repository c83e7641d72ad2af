import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toPointInTime } from '../../../src/client/point-in-time.ts';
import type { SnapshotManifest, SnapshotTable } from '../../../src/contract/snapshot.ts';
import { digestOfParts, manifestText } from '../../../src/snapshot/container/manifest.ts';
import { type BaseChoice, chooseBase } from '../../../src/snapshot/replay/choose-base.ts';
import { FolderStore } from '../../../src/store/folder-store.ts';
import { mine, openPitrSite, other, type PitrSite } from '../../postgres/pitr-site.ts';

let folder: string;
let store: FolderStore;
let site: PitrSite;

const table = (name: string): SnapshotTable => ({
  ...{ schema: 'public', table: name, kind: 'table', key: ['id'], columns: [], foreignKeys: [] },
  ...{ rows: 0, bytes: 0, parts: [] },
});
const tenant = { column: 'tenant_id', value: mine };
const things = [{ schema: 'public', table: 'things' }];
const choice: BaseChoice = {
  database: 'shop',
  tables: things,
  tenant: null,
  to: '2026-01-05T12:00:00.000001Z',
};

async function write(id: string, day: number, more: Partial<SnapshotManifest> = {}): Promise<void> {
  const manifest: SnapshotManifest = {
    ...{ version: '1.0', encoding: 'pg-text', settings: {}, id, name: id, type: 'manual', createdBy: 'ann' },
    ...{ createdAt: `2026-01-0${day}T12:00:00.000Z`, expiresAt: null, database: 'shop', serverVersion: '16' },
    ...{ walLsn: '0/1', tenant: null, tables: [table('things'), table('others')], totalRows: 0, bytes: 0 },
    ...{ sha256: digestOfParts([]), ...more },
  };
  await store.write(
    `P/snapshots/${id}/manifest.json`,
    Buffer.from(manifestText(manifest)),
    'application/json',
  );
}

const choose = (more: Partial<BaseChoice> = {}) =>
  chooseBase({ store, prefix: 'P' }, site.client, { ...choice, ...more });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thaw-base-'));
  store = new FolderStore({ kind: 'folder', path: folder, prefix: '' });
  site = await openPitrSite('choose_base');
  await write('first', 1);
  await write('second', 2, { expiresAt: '2999-01-01T00:00:00Z' });
  await write('expired', 3, { expiresAt: '2026-02-01T00:00:00Z' });
  await write('elsewhere', 3, { database: 'other' });
  await write('others', 3, { tables: [table('others')] });
  await write('theirs', 3, { tenant });
  await write('before', 4, { type: 'pre_restore' });
  await write('later', 6);
});
afterAll(async () => {
  await site.close();
  await rm(folder, { recursive: true, force: true });
});

test.for([
  ['with the table', {}, 'before'],
  ['for all tables', { tables: null }, 'others'],
  ['earlier', { to: '2026-01-02T14:00:00+02:00' }, 'second'],
  ['of the tenant', { tenant, to: '2026-01-03T12:00:00Z' }, 'theirs'],
  ['for another tenant', { tenant: { ...tenant, value: other }, to: '2026-01-03T12:00:00Z' }, 'second'],
] as const)('the newest snapshot that fits is chosen: %s', async ([, more, id]) => {
  const base = await choose(more);
  expect(base.source).toEqual({ kind: 'stored', id });
});

test('where none fits, that is an error', async () => {
  await expect(choose({ to: '2026-01-01T11:59:59Z' })).rejects.toMatchObject({
    code: 'ArchiveNotFound',
    message: 'There is no usable snapshot with public.things from before 2026-01-01T11:59:59Z.',
  });
});

test('rows of backup_pitr_snapshots are chosen likewise', async () => {
  await site.client.query(
    'create table things (id int); create schema sales; create table sales.parts (id int)',
  );
  const at = (day: number, more = {}) => ({ created_at: `2026-01-0${day}T12:00:00.123456Z`, ...more });
  const [one, two] = [
    await site.snapshot({ things: [], 'sales.parts': [] }, at(1)),
    await site.snapshot({ 'public.things': [] }, at(2, { status: 'rolled_back', is_rolled_back: true })),
  ];
  await site.snapshot({ things: [] }, at(3, { expires_at: '2026-02-01T00:00:00Z' }));
  await site.snapshot({ things: [] }, at(3, { tenant_id: other }));
  await site.snapshot({ things: [] }, at(4, { status: 'archived' }));
  await site.snapshot({ things: [] }, at(6));
  const days = { tenant, to: '2026-01-02T12:00:00.123456Z' };
  expect(await choose(days)).toEqual({
    source: { kind: 'table', id: two },
    createdAt: '2026-01-02T12:00:00.123456Z',
  });
  // Of one moment to the millisecond, and of those that are newer, the one in the store.
  expect((await choose({ tenant, to: '2026-01-03T12:00:00Z' })).source).toEqual({
    kind: 'stored',
    id: 'theirs',
  });
  expect((await choose({ ...days, tables: [{ schema: 'sales', table: 'parts' }] })).source).toEqual({
    kind: 'table',
    id: one,
  });
  expect((await choose({ tenant, to: '2026-01-02T12:00:00Z' })).source).toEqual({
    kind: 'stored',
    id: 'second',
  });
});

test('a time has a zone, and what belongs to it means nothing without it', () => {
  const nothing = { to: null, log: null, since: null, acceptFaults: false };
  expect(toPointInTime(nothing)).toBeNull();
  expect(toPointInTime({ ...nothing, to: '2026-01-31T12:00:00.123456+02:00' })).toEqual({
    ...{ to: '2026-01-31T12:00:00.123456+02:00', since: null, acceptFaults: false },
    log: { schema: 'public', table: 'backup_transaction_logs' },
  });
  expect(() => toPointInTime({ ...nothing, to: '2026-01-31 12:00' })).toThrow(
    '--to: 2026-01-31 12:00 is no time',
  );
  expect(() => toPointInTime({ ...nothing, acceptFaults: true })).toThrow(
    '--accept-log-faults: it means nothing',
  );
});
