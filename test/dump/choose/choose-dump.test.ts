import { link, mkdir, mkdtemp, realpath, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ServiceConfig } from '../../../src/config/thaw-config.ts';
import type { DumpChoice } from '../../../src/contract/dump-request.ts';
import { chooseDump } from '../../../src/dump/choose/choose-dump.ts';
import { openDumpStore } from '../../../src/dump/choose/dump-store.ts';
import { listDumps } from '../../../src/dump/choose/list-dumps.ts';

const latest: DumpChoice = { kind: 'latest', before: null };

/** A folder with files, each written at its time (of 2025, such as `12-01`). */
async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'thaw-choose-')));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, day] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), name);
    await utimes(join(folder, name), new Date(), new Date(`2025-${day}T00:00:00Z`));
  }
  return folder;
}

function service(
  folder: string | null,
  parts: Partial<ServiceConfig> & { prefix?: string } = {},
): ServiceConfig {
  const { prefix = '', ...rest } = parts;
  return {
    name: 'argus',
    connection: {
      name: 'argus_db',
      host: 'h',
      port: 5432,
      user: 'u',
      password: { secret: '' },
      sslMode: 'prefer',
      sslRootCert: null,
      tables: [],
    },
    maintenance: 'postgres',
    dumps: folder === null ? null : { kind: 'folder', path: folder, prefix },
    filePrefix: null,
    ...rest,
  };
}

async function choose(of: ServiceConfig, choice: DumpChoice, fallback = 0) {
  const store = await openDumpStore(of, choice, {});
  try {
    return await chooseDump(store, of, choice, fallback);
  } finally {
    store.close();
  }
}

async function keys(of: ServiceConfig, choice: DumpChoice, fallback = 0): Promise<string[]> {
  return (await choose(of, choice, fallback)).candidates.map(({ key }) => key);
}

test('the newest is told by the time in its name, whatever a copy has made of LastModified, and that they disagree', async () => {
  const folder = await folderOf({
    'argus-2025-12-01T02-00-00Z.sql.gz': '12-20',
    'argus-2025-12-03T02-00-00Z.sql.gz': '12-19',
    'argus-2025-12-02T02-00-00Z.sql.gz': '12-21',
    'argus.dump': '12-31',
  });
  const { candidates, notices } = await choose(service(folder), latest);
  expect(candidates.map(({ key }) => key)).toEqual([
    'argus-2025-12-03T02-00-00Z.sql.gz',
    'argus-2025-12-02T02-00-00Z.sql.gz',
    'argus-2025-12-01T02-00-00Z.sql.gz',
    'argus.dump',
  ]);
  expect(candidates[0]).toEqual({
    key: 'argus-2025-12-03T02-00-00Z.sql.gz',
    bytes: 33,
    etag: expect.stringMatching(/./),
    modifiedAt: '2025-12-19T00:00:00.000Z',
    takenAt: '2025-12-03T02:00:00.000Z',
  });
  expect(notices).toEqual([
    'The newest dump by the time in its name is argus-2025-12-03T02-00-00Z.sql.gz (2025-12-03T02:00:00.000Z), which is taken; ' +
      'by LastModified it is argus.dump (2025-12-31T00:00:00.000Z).',
  ]);
});

test('nothing is said where name and LastModified agree, and LastModified counts where no name has a time', async () => {
  const agreeing = await folderOf({
    'argus-2025-12-01T02-00-00Z.sql.gz': '12-01',
    'argus-2025-12-02T02-00-00Z.sql.gz': '12-02',
  });
  expect((await choose(service(agreeing), latest)).notices).toEqual([]);
  const untimed = await folderOf({
    'argus.dump': '12-01',
    'argus.sql.gz': '12-03',
    'argus_db.dump': '12-02',
  });
  expect(await keys(service(untimed), latest)).toEqual(['argus.sql.gz', 'argus_db.dump', 'argus.dump']);
});

test('of others with a name that begins alike, and of what lies beside, none is taken', async () => {
  const folder = await folderOf({
    'argus_20251201_020000.sql.gz': '12-01',
    'argus_old_20251202_020000.sql.gz': '12-02',
    'argus2_20251202_020000.sql.gz': '12-02',
    'argus_20251203_020000.sql.gz.manifest.json': '12-03',
    'argus_20251203_020000.sql.gz.md5': '12-03',
    'hermes_20251204_020000.sql.gz': '12-04',
  });
  expect(await keys(service(folder), latest)).toEqual(['argus_20251201_020000.sql.gz']);
  expect(await keys(service(folder, { filePrefix: 'argus_old' }), latest)).toEqual([
    'argus_old_20251202_020000.sql.gz',
  ]);
});

test('with a prefix that all have in common, none is taken out of the subfolder of another', async () => {
  const folder = await folderOf({
    'backup-2025-12-01T02-00-00-000Z.tar.gz': '12-01',
    '2025/12/02/backup-02-00-00.sql.gz': '12-02',
    'daily/backup-20251203.sql.gz': '12-03',
    'staging/backup-2025-12-04T02-00-00-000Z.tar.gz': '12-04',
  });
  expect(await keys(service(folder, { filePrefix: 'backup' }), latest)).toEqual([
    'daily/backup-20251203.sql.gz',
    '2025/12/02/backup-02-00-00.sql.gz',
    'backup-2025-12-01T02-00-00-000Z.tar.gz',
  ]);
});

test('links to a dump are no dumps of their own, but dumps with the same bytes are', async () => {
  const folder = await folderOf({ 'last/argus_db-20251201-020000.sql.gz': '12-01' });
  const last = join(folder, 'last');
  for (const alias of ['argus_db-latest.sql.gz', 'argus_db-20251201.sql.gz', 'argus_db-202549.sql.gz']) {
    await link(join(last, 'argus_db-20251201-020000.sql.gz'), join(last, alias));
  }
  await link(join(last, 'argus_db-20251201-020000.sql.gz'), join(last, 'argus_db-20251202-020000.sql.gz'));
  expect(await keys(service(folder), latest)).toEqual([
    'last/argus_db-20251202-020000.sql.gz',
    'last/argus_db-20251201-020000.sql.gz',
  ]);
});

test('a dump with a day in its name was taken in that day, as near to LastModified as that is', async () => {
  const folder = await folderOf({ 'argus-20251201.dump': '12-25', 'argus-20251130.dump': '11-30' });
  const { candidates } = await choose(service(folder), latest);
  const end = new Date(new Date(2025, 11, 2).getTime() - 1).toISOString();
  expect(candidates.map(({ takenAt }) => takenAt)).toEqual([end, expect.stringContaining('2025-11-30')]);
});

const nightly = {
  'prod/argus-2025-12-01T02-00-00Z.sql.gz': '12-01',
  'prod/argus-2025-12-02T02-00-00Z.sql.gz': '12-02',
  'prod/argus-2025-12-03T02-00-00Z.sql.gz': '12-03',
  'prod/other.dump': '12-02',
  'argus-2025-12-09T02-00-00Z.sql.gz': '12-09',
};

test.each([
  ['2025-12-02T02:00:00.000Z', 'prod/argus-2025-12-02T02-00-00Z.sql.gz'],
  ['2025-12-03T01:59:59.999Z', 'prod/argus-2025-12-02T02-00-00Z.sql.gz'],
  ['2026-01-01T00:00:00.000Z', 'prod/argus-2025-12-03T02-00-00Z.sql.gz'],
])('the newest that is not later than %s is %s', async (before, key) => {
  const of = service(await folderOf(nightly), { prefix: 'prod' });
  expect((await keys(of, { kind: 'latest', before }))[0]).toBe(key);
});

test('earlier ones may be taken in its place, and some more are told', async () => {
  const days = Array.from({ length: 9 }, (_, day) => `argus-2025-12-0${day + 1}T02-00-00Z.dump`);
  const of = service(await folderOf(Object.fromEntries(days.map((name) => [name, '12-01']))));
  expect(await keys(of, latest, 0)).toEqual(days.toReversed().slice(0, 4));
  expect(await keys(of, latest, 2)).toEqual(days.toReversed().slice(0, 6));
  expect(await keys(of, { kind: 'key', key: days[2] ?? '' })).toEqual([days[2], days[1], days[0]]);
});

test.each(['argus-2025-12-02T02-00-00Z.sql.gz', 'prod/argus-2025-12-02T02-00-00Z.sql.gz'])(
  'a key is taken with or without the subfolder: %s',
  async (key) => {
    const of = service(await folderOf(nightly), { prefix: 'prod' });
    expect(await keys(of, { kind: 'key', key })).toEqual([
      'prod/argus-2025-12-02T02-00-00Z.sql.gz',
      'prod/argus-2025-12-01T02-00-00Z.sql.gz',
    ]);
  },
);

test('a key of another name is taken, too, and older dumps stand behind it', async () => {
  const of = service(await folderOf(nightly), { prefix: 'prod' });
  expect(await keys(of, { kind: 'key', key: 'other.dump' })).toEqual([
    'prod/other.dump',
    'prod/argus-2025-12-01T02-00-00Z.sql.gz',
  ]);
});

test.each(['../x.dump', '/etc/passwd', 'a/../b.dump', 'a//b.dump', './b.dump', 'prod/', ''])(
  'a key that leads elsewhere is refused: %j',
  async (key) => {
    const of = service(await folderOf(nightly), { prefix: 'prod' });
    await expect(choose(of, { kind: 'key', key })).rejects.toMatchObject({ code: 'InputInvalid' });
  },
);

test('a file of this machine is taken by its path, also through a link, and older ones of its folder stand behind it', async () => {
  const folder = await folderOf({ ...nightly, 'prod/deep/argus-2025-11-01T02-00-00Z.sql.gz': '11-01' });
  const path = join(folder, 'prod', 'argus-2025-12-03T02-00-00Z.sql.gz');
  await symlink(path, join(folder, 'newest'));
  for (const named of [path, join(folder, 'newest')]) {
    expect(await keys(service(null), { kind: 'file', path: named })).toEqual([
      'argus-2025-12-03T02-00-00Z.sql.gz',
      'argus-2025-12-02T02-00-00Z.sql.gz',
      'argus-2025-12-01T02-00-00Z.sql.gz',
    ]);
  }
  await expect(choose(service(null), { kind: 'file', path: join(folder, 'none') })).rejects.toMatchObject({
    code: 'ArchiveNotFound',
    message: `${join(folder, 'none')}: cannot be found (ENOENT)`,
  });
  await expect(choose(service(null), { kind: 'file', path: folder })).rejects.toMatchObject({
    code: 'InputInvalid',
    message: `${folder}: is not a file`,
  });
});

test('where nothing is found it says where it looked and what lies there', async () => {
  const folder = await folderOf(nightly);
  const place = `file://${folder}`;
  const failure = (of: ServiceConfig, choice: DumpChoice) => expect(choose(of, choice)).rejects;
  await failure(service(folder, { prefix: 'prod', filePrefix: 'backup' }), latest).toMatchObject({
    code: 'ArchiveNotFound',
    message: `${place}/prod: has no dump of argus, which is named backup, then - or _ and its time`,
    hint: expect.stringContaining('There are prod/argus-2025-12-01T02-00-00Z.sql.gz, prod/argus-'),
  });
  await failure(service(folder, { prefix: 'dev' }), latest).toMatchObject({
    message: `${place}/dev: has no dump of argus, which is named argus or argus_db, then - or _ and its time`,
    hint: 'Nothing lies there. Correct bucket, subfolder or folder.',
  });
  const before = '2025-11-01T00:00:00.000Z';
  await failure(service(folder), { kind: 'latest', before }).toMatchObject({
    code: 'ArchiveNotFound',
    message: `${place}: no dump of argus is from ${before} or earlier`,
    hint: 'The oldest is prod/argus-2025-12-01T02-00-00Z.sql.gz of 2025-12-01T02:00:00.000Z.',
  });
  await failure(service(folder, { prefix: 'prod' }), { kind: 'key', key: 'none.dump' }).toMatchObject({
    code: 'ArchiveNotFound',
    message: `${place}/prod/none.dump: is not there`,
    hint: 'The newest dump there is prod/argus-2025-12-03T02-00-00Z.sql.gz of 2025-12-03T02:00:00.000Z.',
  });
  await failure(service(null), latest).toMatchObject({
    code: 'ConfigInvalid',
    message: 'service argus: nothing says where its dumps lie',
  });
});

test('what is no dump is counted', async () => {
  const of = service(await folderOf(nightly), { filePrefix: 'other', prefix: 'prod' });
  const store = await openDumpStore(of, latest, {});
  expect(await listDumps(store, of)).toMatchObject({
    dumps: [{ key: 'prod/other.dump' }],
    otherCount: 3,
    others: [expect.anything(), expect.anything(), expect.anything()],
  });
});

test('however many there are, the newest is found', async () => {
  const names = Array.from({ length: 2_500 }, (_, hour) => {
    const at = new Date(Date.UTC(2025, 0, 1, hour));
    return `argus-${at.toISOString().replace(/[:.]/g, '-')}.dump`;
  });
  const folder = await folderOf({});
  await Promise.all(names.map((name) => writeFile(join(folder, name), name)));
  expect((await keys(service(folder), latest))[0]).toBe(names.at(-1));
  const store = await openDumpStore(service(folder), latest, {});
  expect((await listDumps(store, service(folder))).dumps.map(({ key }) => key)).toEqual(names.toReversed());
});
