import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { confirmByName } from '../../src/cli/confirm.ts';
import { type DumpFlags, dumpInputOf, withDumpFlags } from '../../src/cli/dump-flags.ts';
import { dumpExitCode } from '../../src/cli/dump-lines.ts';
import { toDumpRequest } from '../../src/client/dump-input.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import type { DumpOutcome } from '../../src/contract/dump-activities.ts';
import { wholeDump } from '../../src/contract/dump-request.ts';
import type { ErrorCode } from '../../src/contract/error-code.ts';

const service = (name: string) => ({ name, host: 'db', user: 'u', password: 'p', database: `${name}_db` });
const config = parseConfig(
  JSON.stringify({ version: '1.0', services: [service('argus'), service('hermes')] }),
  'test.yaml',
  {},
);

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'thaw-flags-'));
  file = path.join(folder, 'argus_20231201_020000.sql.gz');
  writeFileSync(file, '');
});

afterAll(() => rmSync(folder, { recursive: true }));

function inputOf(line: string, env: NodeJS.ProcessEnv = {}) {
  const command = withDumpFlags(new Command()).argument('[one]').argument('[two]').exitOverride();
  command.configureOutput({ writeErr: () => {} });
  command.parse(line.split(' ').filter(Boolean), { from: 'user' });
  return dumpInputOf(command.args, command.opts<DumpFlags>(), config, env);
}

const requestOf = (line: string) => toDumpRequest(inputOf(line), config, 'id', 5);

describe('which dump and which service', () => {
  const key = (text: string) => ({ kind: 'key', key: text });
  test.each([
    ['dumps/a.tar.gz argus', 'argus', key('dumps/a.tar.gz')],
    ['argus dumps/a.tar.gz', 'argus', key('dumps/a.tar.gz')],
    ['a.tar.gz', null, key('a.tar.gz')],
    ['--file a.tar.gz hermes', 'hermes', key('a.tar.gz')],
    ['argus --latest', 'argus', { kind: 'latest', before: null }],
    ['--latest', null, { kind: 'latest', before: null }],
    ['argus --before 2026-01-04T05:20:21Z', 'argus', { kind: 'latest', before: '2026-01-04T05:20:21.000Z' }],
    ['/tmp/there/a.sql argus', 'argus', { kind: 'file', path: '/tmp/there/a.sql' }],
  ])('thaw restore-dump %s', (line, name, choice) => {
    expect(inputOf(line)).toMatchObject({ service: name, choice });
  });

  test('a file that is there is named by its path, and RESTORE_FILE_KEY counts where nothing is named', () => {
    expect(inputOf(`argus ${file}`)).toMatchObject({
      service: 'argus',
      choice: { kind: 'file', path: file },
    });
    const env = { RESTORE_FILE_KEY: 'b.tar.gz', RESTORE_OPTIONS: '--clean' };
    expect(inputOf('argus', env)).toMatchObject({ choice: key('b.tar.gz'), restoreOptions: '--clean' });
    expect(inputOf('argus --latest', env)).toMatchObject({ choice: { kind: 'latest' } });
  });

  test('a day alone is included', () => {
    const { choice } = inputOf('argus --before 2026-01-04');
    expect(choice).toEqual({ kind: 'latest', before: new Date('2026-01-04T23:59:59.999').toISOString() });
  });

  test.each([
    ['', 'No dump is named.'],
    ['a.tar.gz argus --latest', 'a.tar.gz is named, and --latest or --before asks for another one.'],
    ['argus --latest --in-place --mode swap', '--in-place and --mode swap contradict each other.'],
  ])('refused: %s', (line, message) => {
    expect(() => inputOf(line)).toThrow(message);
  });

  test.each(['--before soon', '--keep-old 5', '--jobs 0', '--section all', '--mode replace'])(
    'refused: %s',
    (line) => {
      expect(() => inputOf(`argus --latest ${line}`)).toThrow();
    },
  );
});

describe('the mode', () => {
  test.each([
    ['', 'swap'],
    ['--in-place', 'recreate'],
    ['--mode into-existing', 'into-existing'],
    ['--only-table users', 'into-existing'],
    ['--data-only', 'into-existing'],
    ['--section data', 'into-existing'],
    ['--clean', 'into-existing'],
    ['--restore-options --schema=app', 'into-existing'],
    ['--restore-options --no-owner', 'swap'],
  ])('of %s', (flags, mode) => {
    expect(requestOf(`argus --latest ${flags}`).mode).toBe(mode);
  });

  test.each(['--mode swap --only-table users', '--in-place --clean', '--mode recreate --restore-options -a'])(
    'a part never replaces a database: %s',
    (flags) => {
      expect(() => requestOf(`argus --latest ${flags}`)).toThrow(
        'A part of a dump never replaces a database',
      );
    },
  );

  test.each(['https://user:word@host/', 'https://user@host/', 'file:///etc/passwd', 'health'])(
    'a URL to check is refused: %s',
    (url) => {
      expect(() => requestOf(`argus --latest --check-url ${url}`)).toThrow('A URL to check must be http://');
      expect(requestOf('argus --latest --check-url http://host/health').checkUrls).toEqual([
        'http://host/health',
      ]);
    },
  );

  test('flags and options of pg_restore add up', () => {
    const flags =
      '--only-table a --only-schema s --restore-options --table=b --into other --create --keep-old 0';
    expect(requestOf(`argus --latest ${flags}`)).toMatchObject({
      ...{ server: 'db:5432', database: 'other', into: 'other', create: true, keepOldSeconds: 0 },
      part: { ...wholeDump, tables: ['a', 'b'], schemas: ['s'] },
    });
  });
});

describe('a confirmation', () => {
  const ask = async (typed: string | null, isTTY = true) => {
    const input = Object.assign(new PassThrough(), { isTTY });
    const output = new PassThrough();
    const asked = confirmByName('argus_db', ['It goes.'], { input, output });
    if (typed === null) input.end();
    else input.write(typed);
    return { confirmed: await asked, said: String(output.read()) };
  };

  test('is the name, typed', async () => {
    expect(await ask('argus_db\n')).toEqual({
      confirmed: true,
      said: 'It goes.\nType argus_db to go on: ',
    });
    for (const other of ['yes\n', '\n', 'argus_db2\n', null]) {
      expect(await ask(other)).toMatchObject({ confirmed: false });
    }
  });

  test('cannot be had where no terminal is', async () => {
    await expect(ask('argus_db\n', false)).rejects.toMatchObject({
      code: 'InputInvalid',
      message: 'It goes. Nobody is there to confirm it.',
    });
  });
});

test.each<[DumpOutcome['state'], ErrorCode | null, number]>([
  ['completed', null, 0],
  ['cancelled', null, 130],
  ['failed', 'ArchiveCorrupt', 3],
  ['failed', 'VerificationFailed', 3],
  ['failed', 'SchemaIncompatible', 3],
  ['failed', 'DumpRejected', 1],
  ['failed', 'TargetBusy', 1],
])('a restore of a dump that is %s by %s ends with %i', (state, code, exitCode) => {
  const error = code === null ? null : { code, message: '', hint: '' };
  expect(dumpExitCode({ state, error } as DumpOutcome)).toBe(exitCode);
});
