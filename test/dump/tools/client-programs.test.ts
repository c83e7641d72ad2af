import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findPrograms, knowsRestrict } from '../../../src/dump/tools/client-programs.ts';

let root: string;
let path: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'thaw-programs-'));
  const folders = [];
  for (const [folder, version] of [
    ['new', '98.1 (Debian 98.1-1)'],
    ['old', '96.4'],
    ['middle', '97beta2'],
    ['again', '97.2'],
  ] as const) {
    folders.push(join(root, folder));
    await install(folder, ['psql', 'pg_restore', 'pg_dump'], version);
  }
  await install('half', ['psql', 'pg_restore'], '99.1');
  path = [join(root, 'half'), ...folders].join(delimiter);
});

afterAll(() => rm(root, { recursive: true }));

async function install(folder: string, names: readonly string[], version: string) {
  await mkdir(join(root, folder));
  for (const name of names) {
    const file = join(root, folder, name);
    await writeFile(file, `#!/bin/sh\necho "${name} (PostgreSQL) ${version}"\n`);
    await chmod(file, 0o755);
  }
}

test('takes the oldest that will do, and of one version the first on PATH', async () => {
  expect(await findPrograms({ PATH: path }, { atLeast: 97 })).toEqual({
    psql: join(root, 'middle', 'psql'),
    pgRestore: join(root, 'middle', 'pg_restore'),
    pgDump: join(root, 'middle', 'pg_dump'),
    version: '97beta2',
    major: 97,
  });
  expect(await findPrograms({ PATH: path }, { atLeast: 98 })).toMatchObject({ version: '98.1' });
});

test('takes what comes first where any will do', async () => {
  expect(await findPrograms({ PATH: path }, { atLeast: null })).toMatchObject({ version: '98.1' });
});

test('a folder that is named counts alone', async () => {
  const env = { PATH: path, PG_BIN: join(root, 'old') };
  expect(await findPrograms(env, { atLeast: 90 })).toMatchObject({ version: '96.4' });
  await expect(findPrograms(env, { atLeast: 97 })).rejects.toMatchObject({
    code: 'ConfigInvalid',
    object: 'PG_BIN',
    message: `the folder PG_BIN (${join(root, 'old')}) has no psql, pg_restore and pg_dump of version 97 or newer, only 96.4`,
  });
});

test('says what there is where nothing will do', async () => {
  await expect(findPrograms({ PATH: path }, { atLeast: 99 })).rejects.toMatchObject({
    code: 'ConfigInvalid',
    message: expect.stringMatching(/of version 99 or newer, only 98\.1, 96\.4, 97beta2, 97\.2/),
    hint: expect.stringContaining('postgresql-client-99'),
  });
  const half = { PG_BIN: join(root, 'half') };
  await expect(findPrograms(half, { atLeast: null })).rejects.toMatchObject({
    message: `the folder PG_BIN (${half.PG_BIN}) has no psql, pg_restore and pg_dump`,
  });
});

test.each([
  ['13.21', false],
  ['13.22', true],
  ['14.18', false],
  ['15.14', true],
  ['15.9', false],
  ['16.10', true],
  ['17.5', false],
  ['17beta1', false],
  ['18beta1', true],
  ['12.22', false],
])('psql %s knows \\restrict: %s', (version, knows) => {
  const major = Number.parseInt(version, 10);
  expect(knowsRestrict({ psql: '', pgRestore: '', pgDump: '', version, major })).toBe(knows);
});
