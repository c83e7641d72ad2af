import { expect, test } from 'vitest';
import { wholeDump } from '../../../src/contract/dump-request.ts';
import { parsePartTable } from '../../../src/dump/tools/part-table.ts';
import { parseRestoreOptions } from '../../../src/dump/tools/restore-options.ts';
import { shellWords } from '../../../src/dump/tools/shell-words.ts';

test.each([
  ['', []],
  ['  --a\t--b\n--c ', ['--a', '--b', '--c']],
  [`'a b'"c d"e\\ f`, ['a bc de f']],
  [`'' ""`, ['', '']],
  [`"a\\"b\\\\c\\d\\$e" 'a\\'`, ['a"b\\c\\d$e', 'a\\']],
  ['a\\\nb', ['ab']],
  ['$HOME `id` $(id) *;x|y>z #c ~', ['$HOME', '`id`', '$(id)', '*;x|y>z', '#c', '~']],
  [`--table="it's" 'Ü ß'`, [`--table=it's`, 'Ü ß']],
])('words of %j', (text, words) => {
  expect(shellWords(text, 'X')).toEqual(words);
});

test.each([`"a`, `'a`, 'a\\'])('%j is not closed', (text) => {
  expect(() => shellWords(text, 'X')).toThrow(/^X: /);
});

test('says which part is meant, and passes the others on in their long form', () => {
  expect(parseRestoreOptions('')).toEqual({ part: wholeDump, options: [], jobs: null, isPart: false });
  expect(parseRestoreOptions(`-cO -x --if-exists -j4 --role 'my app' -S root --jobs=2 -O`)).toEqual({
    part: { ...wholeDump, clean: true },
    options: ['--no-owner', '--no-privileges', '--role=my app', '--superuser=root'],
    jobs: 2,
    isPart: true,
  });
  expect(
    parseRestoreOptions(`-t Users --table='a.b' -nS1 --schema "s 2" --section=data --section post-data`),
  ).toEqual({
    part: {
      ...wholeDump,
      tables: ['Users', '"a.b"'],
      schemas: ['S1', 's 2'],
      sections: ['data', 'post-data'],
    },
    options: [],
    jobs: null,
    isPart: true,
  });
  expect(parseRestoreOptions('-a --disable-triggers -1e')).toMatchObject({
    part: { dataOnly: true },
    options: ['--disable-triggers', '--single-transaction', '--exit-on-error'],
  });
  expect(parseRestoreOptions('--if-exists', 'X', true).options).toEqual([]);
  expect(parseRestoreOptions('--no-owner --no-acl').isPart).toBe(false);
  expect(parseRestoreOptions('-N logs')).toMatchObject({ options: ['--exclude-schema=logs'], isPart: true });
});

test.each([
  ['--file=/etc/passwd', '--file: it writes a file'],
  ['-f /etc/passwd', '--file: it writes a file'],
  ['-Of/etc/passwd', '--file: it writes a file'],
  ['--dbname=postgres://evil', '--dbname: the database is that of the service'],
  ['-h evil', '--host: the database is that of the service'],
  ['-p 1', '--port: '],
  ['-U root', '--username: '],
  ['-W', '--password: '],
  ['-l', '--list: '],
  ['-L /etc/passwd', '--use-list: it reads a file of the worker'],
  ['--filter x', '--filter: it reads a file of the worker'],
  ['-C', '--create: it would load another database'],
  ['-I i', '--index: only tables, schemas and sections'],
  ['--fil=x', '--fil: pg_restore has it not, or not here'],
  ['-Z', '-Z: pg_restore has it not, or not here'],
  ['dump.tar', 'dump.tar: it is no option'],
  ['-- x', '--: it is no option'],
  ['-', '-: it is no option'],
  [`''`, 'an empty word: it is no option'],
  ['--clean=yes', '--clean: it takes no value'],
  ['--role', '--role: it needs a value'],
  ['-j', '--jobs: it needs a value'],
  ['-j0', '--jobs: it is a number'],
  ['--section=dat', '--section: it is one of pre-data, data, post-data'],
  ['--if-exists', '--if-exists: it needs --clean'],
  ['-as', '--data-only: it contradicts --schema-only'],
  ['-ac', '--clean: it contradicts --data-only'],
  ['--no-owner; rm -rf x', '--no-owner;: pg_restore has it not'],
])('%j is refused by name', (text, reason) => {
  expect(() => parseRestoreOptions(text)).toThrow(`RESTORE_OPTIONS: ${reason}`);
});

test.each([
  ['Users', null, 'Users'],
  ['my table', null, 'my table'],
  ['app.Users', 'app', 'Users'],
  ['"a.b"', null, 'a.b'],
  ['"a.b"."c""d"', 'a.b', 'c"d'],
  ['ünï.x', 'ünï', 'x'],
])('%j is a table', (text, schema, table) => {
  expect(parsePartTable(text)).toEqual({ schema, table });
});

test.each(['', 'a.b.c', '.a', 'a.', '"a', '""'])('%j is no table', (text) => {
  expect(() => parsePartTable(text)).toThrow('is no name of a table');
});
