import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PlainFacts, PlainScan } from '../../../src/dump/format/plain-scan.ts';

const key = 'Q6jvXb0M1s';
const end = `--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict ${key}\n\n`;

/** A dump as pg_dump writes it, with something between its header and its end. */
function dump(body: string): string {
  return `--
-- PostgreSQL database dump
--

\\restrict ${key}

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 16.10

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

${body}
${end}`;
}

/** The line that the body of {@link dump} begins in. */
const firstLine = 14;

function scan(text: string | Buffer, ends: readonly number[] = []): PlainFacts {
  const bytes = Buffer.from(text);
  const scanner = new PlainScan('a.sql');
  let from = 0;
  for (const to of [...ends, bytes.length]) {
    scanner.push(bytes.subarray(from, to));
    from = to;
  }
  return scanner.end();
}

function rows(body: string): Record<string, number | null> {
  const { tables, cut } = scan(dump(body));
  expect(cut).toBeNull();
  return Object.fromEntries(tables.map(({ table, rows }) => [table, rows]));
}

const zoo = dump(
  `CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

--
-- Name: Ta;ble; Type: TABLE; Schema: We "Ird"; Owner: the owner
--

CREATE TABLE "We ""Ird"""."Ta;ble" (a text DEFAULT 'it''s;', b text DEFAULT E'\\\\ \\' ;', "c;""" int, d int[] /* a /* nested */ ; ' */);
ALTER TABLE "We ""Ird"""."Ta;ble" OWNER TO "the owner";
CREATE FUNCTION public.f(a$b integer) RETURNS text LANGUAGE plpgsql AS $_$ begin return $1 || $$;$$ || ' \\! id'; end $_$;
CREATE FUNCTION public.g(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN x > 1 THEN 2 END; INSERT INTO no.table VALUES (1); END;
CREATE VIEW public.v AS SELECT (u.a)[u.b:u.c], u.d[1:2], 'x'::text FROM public.u;
COMMENT ON TABLE public.u IS E'COPY public.u FROM stdin;
\\\\! id -- ';
COPY public.u (id, "na,me)") FROM stdin;
1\t\\N
2\t\\\\.
\\N\t
\\.


INSERT INTO public."naïve" VALUES (1, 'a;('), (2, ')');
INSERT INTO public."naïve" (a, b) OVERRIDING SYSTEM VALUE VALUES (3, (4), f(5)) ON CONFLICT DO NOTHING;
INSERT INTO public.plain DEFAULT VALUES;
GRANT SELECT(id),UPDATE("to") ON TABLE public.u TO reader,"wri""ter" WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE maker IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC;
CREATE POLICY p ON public.u TO one, two USING ((name = 'to'::name));
`,
);

describe('what a plain dump tells', () => {
  test('of itself, its objects and its rows', () => {
    expect(scan(zoo)).toEqual({
      cut: null,
      serverVersion: '15.18',
      dumpVersion: '16.10',
      databases: [],
      tables: [
        { database: null, table: 'public.u', rows: 3 },
        { database: null, table: 'public."naïve"', rows: 3 },
        { database: null, table: 'public.plain', rows: 1 },
      ],
      extensions: ['uuid-ossp'],
      roles: ['the owner', 'reader', 'wri"ter', 'maker', 'one', 'two'],
      settings: ['client_encoding', 'standard_conforming_strings'],
      dropsTables: false,
      toc: [{ dumpId: 1, kind: 'TABLE', schema: 'We "Ird"', name: 'Ta;ble', owner: 'the owner' }],
    });
  });

  test('that it was made with --clean, and that blocks of it were lost', () => {
    expect(scan(dump('DROP TABLE IF EXISTS public.t;\n')).dropsTables).toBe(true);
    expect(scan(dump('DROP VIEW public.t;\nSELECT $$DROP TABLE public.t;$$;\n')).dropsTables).toBe(false);
    const lost = { code: 'ArchiveCorrupt', message: expect.stringContaining('holds a NUL byte') };
    expect(() => scan(dump('select \0;\n'))).toThrow(expect.objectContaining(lost));
  });

  test('is the same wherever its chunks are cut', () => {
    const bytes = Buffer.from(zoo);
    const whole = scan(bytes);
    for (let at = 1; at < bytes.length; at += 5) expect(scan(bytes, [at])).toEqual(whole);
    expect(scan(bytes, Array.from(bytes.keys()))).toEqual(whole);
    const cuts = fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 200 });
    fc.assert(
      fc.property(cuts, (list) => {
        expect(
          scan(
            bytes,
            list.toSorted((a, b) => a - b),
          ),
        ).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });

  test('with lines of Windows', () => {
    const { cut, tables, toc } = scan(zoo.replaceAll('\n', '\r\n'));
    expect({ cut, toc: toc.length, tables }).toEqual({ cut: null, toc: 1, tables: scan(zoo).tables });
  });

  test('tables without rows, which dumps of INSERTs only name', () => {
    const named = (table: string) =>
      `--\n-- Data for Name: ${table}; Type: TABLE DATA; Schema: public; Owner: -\n--\n\n`;
    const body = `${named('one')}${named('t;wo')}INSERT INTO public."t;wo" VALUES (1);\n${named('Three')}`;
    expect(rows(body)).toEqual({ 'public.one': 0, 'public."t;wo"': 1, 'public."Three"': 0 });
  });

  test('no number of rows where a statement brings more than it lists', () => {
    expect(rows('INSERT INTO public.a SELECT 1;\nINSERT INTO public.a VALUES (1);')).toEqual({
      'public.a': null,
    });
  });

  test('tables by the search path, as old ones name them', () => {
    expect(rows('SET search_path = app, pg_catalog;\nCOPY u (id) FROM stdin;\n1\n\\.\n')).toEqual({
      'app.u': 1,
    });
  });

  test('strings by standard_conforming_strings', () => {
    const quoted = `SELECT '\\'; COPY t FROM stdin; -- ';\nINSERT INTO public.a VALUES ('\\\\');`;
    expect(rows(`SET standard_conforming_strings = off;\n${quoted}`)).toEqual({ 'public.a': 1 });
    expect(scan(dump(quoted)).cut).toBe('it ends in the data of public.t');
  });
});

describe('a dump that is not whole', () => {
  test.each([
    ['the line that pg_dump ends with is missing', 'SELECT 1;\n'],
    ['it ends in the data of public.u', 'COPY public.u (id) FROM stdin;\n1\n2'],
    ['it ends in the middle of a statement', "SELECT 'a"],
    ['it ends in the middle of a statement', 'CREATE TABLE public.a ('],
    ['it ends in the middle of a statement', 'SELECT $a$ 1;\n'],
  ])('%s', (cut, body) => {
    expect(scan(dump(body).slice(0, -end.length - 1)).cut).toBe(cut);
  });

  test('has something behind its end', () => {
    expect(scan(`${zoo}DROP TABLE public.u;\n`).cut).toBe(
      'it goes on behind the line that pg_dump ends with',
    );
  });

  test('is known wherever it is cut before its last line', () => {
    const bytes = Buffer.from(zoo);
    const last = bytes.lastIndexOf(key) + key.length;
    for (let at = last - 1; at > 0; at -= 3) {
      expect([at, scan(bytes.subarray(0, at)).cut]).not.toEqual([at, null]);
    }
  });
});

describe('what psql would act upon is refused', () => {
  test.each([
    ['\\! id', 0],
    ['\\copy t from program x', 0],
    ['\\connect "host=elsewhere"', 0],
    ["\\connect -reuse-previous=on \"host='x' dbname='a'\"", 0],
    ['\\connect postgres://elsewhere/a', 0],
    [`\\unrestrict other`, 0],
    [`\\restrict ${key}`, 0],
    [' \n\t\\o /tmp/x', 1],
    ['select 1 \\! id', 0],
    ['select 1 \\g | id', 0],
    ["select 'a' \\; select 2;", 0],
    ['select (\n1\\!', 1],
    ["select 'a\n\nb' \\!", 2],
    ["select E'a\\'' \\! id", 0],
    ["select U&'a\\' \\! id", 0],
    ["select b'\\' \\! id", 0],
    ["select typeE'\\' \\! id", 0],
    ['select "\\" \\! id', 0],
    ['select $a$ $b$ $a$ \\! id', 0],
    ['select a$b$ \\! id $b$', 0],
    ['select $1$ \\! id $1$', 0],
    ['/* /* */ */ \\! id', 0],
    ['-- a\r\\! id', 0],
    ['create function f() begin atomic select 1; end; \\! id', 0],
    ["select 1e'\\'", 0],
    ['select :USER;', 0],
    ["select :'DBNAME';", 0],
    ['select :"ROW_COUNT";', 0],
    ['select :{?x};', 0],
    ['COPY t FROM stdin WITH (FORMAT csv);', 0],
    ['COPY t FROM stdin; select 1;', 0],
    ['COPY t FROM stdin; /* a\n */', 0],
    ['set standard_conforming_strings = off; select 1;', 0],
    ["set client_encoding = 'SJIS';", 0],
    ['COPY t (a) FROM stdin;\n1\n\\.\n\\! id', 3],
  ])('%j', (body, line) => {
    let thrown: unknown;
    try {
      scan(dump(body), [dump('').indexOf(end)]);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'InputInvalid', object: 'a.sql' });
    expect(thrown).toMatchObject({ line: firstLine + line });
  });
});
