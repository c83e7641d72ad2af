import { expect, test } from 'vitest';
import { PlainFilter, type PlainFilterOptions } from '../../../src/dump/load/plain-filter.ts';

const all: PlainFilterOptions = {
  restriction: null,
  settings: ['transaction_timeout'],
  transactions: true,
  database: true,
  roles: new Set(['postgres', 'my "app"']),
};

const dump = `--
-- PostgreSQL database dump
--

\\restrict abc123
SET statement_timeout = 0;
SET transaction_timeout = 0;
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER PASSWORD 'SCRAM';
CREATE ROLE other;
ALTER ROLE "my ""app""" WITH LOGIN;
CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$
BEGIN;
COMMIT;
SET transaction_timeout = 0;
$$;
COPY public.t (a) FROM stdin;
BEGIN;
COMMIT;
CREATE ROLE postgres;
\\.

BEGIN;
SELECT 'x
COMMIT;
';
COMMIT;

--
-- PostgreSQL database dump complete
--

\\unrestrict abc123
`;

/** The same, with empty lines for what goes. */
function without(...lines: readonly string[]): string {
  // Only those at the top count: what stands in function, data and string comes behind them or between.
  const top = dump.split('\n');
  for (const [index, line] of top.entries()) {
    const isInside = (index >= 12 && index <= 14) || (index >= 17 && index <= 19) || index === 24;
    if (lines.includes(line) && !isInside) top[index] = '';
  }
  return top.join('\n');
}

function filtered(text: string, size: number, options: PlainFilterOptions = all): string {
  const filter = new PlainFilter('x.sql', options);
  const bytes = Buffer.from(text);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(...filter.push(bytes.subarray(at, at + size)));
  const { rest, facts } = filter.end();
  expect(facts.cut).toBeNull();
  return Buffer.concat([...parts, ...rest]).toString();
}

test.each([1, 2, 3, 7, 16, 100, 10_000])(
  'takes out what must go, and nothing else, in chunks of %d',
  (size) => {
    expect(filtered(dump, size)).toBe(
      without(
        '\\restrict abc123',
        '\\unrestrict abc123',
        'SET transaction_timeout = 0;',
        'CREATE ROLE postgres;',
        "ALTER ROLE postgres WITH SUPERUSER PASSWORD 'SCRAM';",
        'ALTER ROLE "my ""app""" WITH LOGIN;',
        'BEGIN;',
        'COMMIT;',
      ),
    );
  },
);

test('leaves everything where nothing has to go', () => {
  const none = {
    restriction: null,
    settings: [],
    transactions: false,
    database: false,
    roles: new Set<string>(),
  };
  expect(filtered(dump, 50, none)).toBe(without('\\restrict abc123', '\\unrestrict abc123'));
});

test.each([1, 7, 10_000])('lifts the restriction of psql for a connection alone, in chunks of %d', (size) => {
  const connections = ['\\encoding SQL_ASCII', '\\connect live'];
  const text = dump.replace('SET statement_timeout = 0;', connections.join('\n'));
  const expected = text.replaceAll(/^\\(?:un)?restrict .*$/gm, '');
  const options = { settings: [], transactions: false, database: false, roles: new Set<string>() };
  expect(filtered(text, size, { ...options, restriction: 'k3y' })).toBe(
    connections.reduce((all, line) => all.replace(line, `\\unrestrict k3y ${line} \\restrict k3y`), expected),
  );
});

test.each([
  'begin;',
  'commit work;',
  'BEGIN; COMMIT;',
  'rollback;',
  'START TRANSACTION;',
  "prepare transaction 'x';",
])('refuses %j within the one transaction', (statement) => {
  const text = dump.replace('SET statement_timeout = 0;', statement);
  expect(() => filtered(text, 64)).toThrow('x.sql begins or ends transactions of its own.');
  expect(filtered(text, 64, { ...all, transactions: false })).toContain(statement);
});

const ofDatabase = [
  'DROP DATABASE "live db";',
  `CREATE DATABASE "live db" WITH TEMPLATE = template0 ENCODING = 'UTF8';`,
  'ALTER DATABASE "live db" OWNER TO app;',
  '\\encoding SQL_ASCII',
  `\\connect -reuse-previous=on "dbname='live db'"`,
  `COMMENT ON DATABASE "live db" IS 'one line; of text';`,
  `ALTER DATABASE "live db" SET search_path TO 'a', 'b;';`,
  'GRANT CONNECT ON DATABASE "live db" TO app;',
];

test.each([1, 5, 64, 10_000])('takes out what --create wrote of the database, in chunks of %d', (size) => {
  const created = (lines: readonly string[]) =>
    dump.replace('SET statement_timeout = 0;', `${lines.join('\n')}\nGRANT ALL ON TABLE a TO app;`);
  const options = { ...all, settings: [], transactions: false, roles: new Set<string>() };
  const text = created(ofDatabase);
  expect(filtered(text, size, options)).toBe(
    created(ofDatabase.map(() => '')).replaceAll(/^\\(?:un)?restrict .*$/gm, ''),
  );
  expect(filtered(text, size, { ...options, database: false })).toBe(
    text.replaceAll(/^\\(?:un)?restrict .*$/gm, ''),
  );
});

test.each([
  [`COMMENT ON DATABASE a IS 'two\nlines';`, 'chooses its database'],
  ['SELECT 1;\n \\connect live', 'line 7 holds a backslash command'],
  ['/* */\\connect live', 'line 6 holds a backslash command'],
])('refuses %j, by which psql could get into another database', (text, message) => {
  expect(() => filtered(dump.replace('SET statement_timeout = 0;', text), 4096)).toThrow(message);
});

test('refuses a command that is too long to be held back', () => {
  const long = `\\connect ${'a'.repeat(5000)}`;
  expect(() => filtered(dump.replace('SET statement_timeout = 0;', long), 64)).toThrow(
    'chooses its database',
  );
});

test('gives nothing of a chunk that the scanner refuses', () => {
  const filter = new PlainFilter('x.sql', all);
  expect(Buffer.concat(filter.push(Buffer.from('select 1;\n'))).toString()).toBe('select 1;\n');
  expect(() => filter.push(Buffer.from('select 2;\n\\! id\n'))).toThrow('x.sql: line 3');
});
