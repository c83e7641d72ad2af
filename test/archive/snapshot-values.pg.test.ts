import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ValueEncoding } from '../../src/archive/value-encoding.ts';
import { expectedCsv, loadExpected, loadSchema } from '../harness/fixture.ts';
import { openSession, type Session } from '../postgres/session.ts';
import { columnsOf, restoreLines } from './restore-table.ts';

let session: Session;
let client: pg.Client;
const zoo = ['type_zoo', 'type_zoo_core', 'type_zoo_lossy', 'exotic', 'extremes'];

beforeAll(async () => {
  session = await openSession('snapshot_values');
  client = session.client;
  await client.query('create extension hstore');
  await loadSchema(client, 'type-zoo');
  for (const name of zoo.slice(0, 3))
    await loadExpected(client, name, expectedCsv('type-zoo', `public.${name}`));
  for (const file of ['schema', 'rows']) {
    await client.query(await readFile(new URL(`exotic/${file}.sql`, import.meta.url), 'utf8'));
  }
  // What no driver gives exactly: bounds of arrays, the ends of time, the last bits of floats, a blank more.
  await client.query(String.raw`
    create domain ranked as integer[];
    create type nested as (pair pair, pairs pair[], extra hstore, doc jsonb);
    create table extremes (id integer primary key, bounded integer[], two integer[][], blank char(5), flag boolean,
      span interval, spans interval[], floats float8[], real_number float4, at timestamptz, at_local timestamp, day date,
      times tstzrange, road path, area polygon, markup xml, raw json, doc jsonb, docs jsonb[], bag hstore, bags hstore[],
      part nested, parts nested[], ranks ranked[], blob bytea, blobs bytea[], small int2vector, cash money,
      words text[], vector tsvector, bits varbit, amount numeric, "Quoted "" name" text, _batch_id text);
    insert into extremes values
    (1, '[2:4]={1,2,3}', '[-1:0][5:6]={{1,NULL},{3,4}}', 'a', true,
      '1 year -2 mons +3 days -04:05:06.000007', array['178000000 years', '-00:00:01']::interval[],
      array['NaN', '-Infinity', '5e-324', '1.7976931348623157e308', '0.1', '123456789.123456789']::float8[], '1.1754944e-38',
      'infinity', '0044-03-15 12:00:00 BC', '-infinity', '[-infinity,2026-01-01 00:00:00.000001+00)',
      '[(0,0),(1e-300,2)]', '((0,0),(1,1),(2,0.1))', '<a> b </a><c/>', '{"a" : 1, "a":2.50}', '{"big": 12345678901234567890.10}',
      array['{"a": [1, "x"]}', '"it\"s"', '[1, [2]]', '1.50', null]::jsonb[], 'a=>1, "b c"=>NULL, "q\"\\"=>"x, {y}"',
      array['a=>"\\"', null, '']::hstore[], row(row(1, 'a "b" \ , )'), array[row(2, null), null]::pair[], 'k=>"v"', '{"a": null}'),
      array[row(null, '{}', '', '"s"'), null]::nested[], array['{1,2}'::ranked], '\x005c22ff', array['\x', '\x00ff', null]::bytea[],
      '1 -2 3', '-92233720368547758.08', E'{"",NULL,"NULL","{}","a\\\\b\tc\nd","é🧊"}', '''a b'':1A,2 c', B'', '-1e-10',
      E'line\r\n\\.\t\x01', 'kept');
    insert into extremes values (2, '{}', null, '', false, '00:00:00', '{}', '{}', '0', '294276-12-31 23:59:59.999999+00', '-infinity', '4714-11-24 BC',
      'empty', '((0,0))', '((0,0))', '', '[]', '[]', '{}', '', '{}', row(null, null, null, null), '{}', null, '', '{}', '', '0',
      '{}', '', B'10110', 'NaN', '', '');
    insert into extremes (id) values (3)`);
});
afterAll(() => session.close());

/** SQL that gives each row of a table as a line of JSON in the encoding. */
async function lineOf(table: string, encoding: ValueEncoding): Promise<string> {
  const columns = await columnsOf(client, 'public', table);
  const fields = columns.map(({ name }) => {
    const key = client.escapeLiteral(name);
    const column = client.escapeIdentifier(name);
    // A composite of NULLs only is null, and distinct from NULL all the same.
    return encoding === 'pg-text'
      ? `${key}, case when ${column} is distinct from null then format('%s', ${column}) end`
      : `${key}, to_jsonb(${column})`;
  });
  const half = 40;
  const objects = Array.from({ length: Math.ceil(fields.length / half) }, (_, index) => {
    return `jsonb_build_object(${fields.slice(index * half, (index + 1) * half).join(', ')})`;
  });
  return `(${objects.join(' || ')})::text`;
}

/** Copies a table by way of JSON, and gives the columns whose text is another in some row. */
async function changedColumns(table: string, encoding: ValueEncoding): Promise<string[]> {
  const line = await lineOf(table, encoding);
  const { rows } = await client.query<{ line: string }>(`select ${line} as line from ${table}`);
  expect(rows.length).toBeGreaterThan(1);
  await client.query(`drop table if exists restored; create table restored (like ${table})`);
  await restoreLines(
    client,
    'public',
    'restored',
    Buffer.from(rows.map((row) => row.line).join('\n')),
    { encoding },
    777,
  );
  const columns = (await columnsOf(client, 'public', table)).map(({ name }) => client.escapeIdentifier(name));
  const changes = columns.map((name) => {
    const both = (part: (of: string) => string, by: string) =>
      `${part(`s.${name}`)} ${by} ${part(`r.${name}`)}`;
    const text = both((of) => `format('%s', ${of})`, '<>');
    return `coalesce(bool_or(${text} or ${both((of) => `(${of} is distinct from null)`, '<>')}), true)`;
  });
  const { rows: found } = await client.query<{ changed: boolean }>(
    `select unnest(array[${changes.join(', ')}]) as changed from ${table} as s full join restored as r using (id)`,
  );
  const restored = await client.query<{ line: string }>(`select ${line} as line from restored`);
  expect(restored.rows.map((row) => row.line).toSorted()).toEqual(rows.map((row) => row.line).toSorted());
  return columns.filter((_, index) => found[index]?.changed !== false);
}

test.for(zoo)('pg-text gives back every value to the last bit: %s', async (table) => {
  expect(await changedColumns(table, 'pg-text')).toEqual([]);
});

/** What to_jsonb does not write: bounds, how json was spelled, the sign of zero, the null of jsonb. */
const ofZoo = ['"c_real"', '"c_float8"', '"c_json"', '"c_jsonb"', '"c_float8_arr"', '"c_jsonb_arr"'];
const unwritten: Readonly<Record<string, string[]>> = {
  type_zoo: ofZoo,
  type_zoo_core: ofZoo,
  type_zoo_lossy: ['"l_arr_bounds"'],
  exotic: ['"everythings"', '"jsons"'],
  extremes: ['"bounded"', '"two"', '"raw"'],
};

test.for(zoo)('to_jsonb gives back all that it wrote: %s', async (table) => {
  expect(await changedColumns(table, 'to_jsonb')).toEqual(unwritten[table]);
});

test.for(['1', 'true', '{}', '["a"]'])('pg-text has nothing but strings: %s', async (value) => {
  await client.query('drop table if exists restored; create table restored (a jsonb)');
  const load = restoreLines(client, 'public', 'restored', Buffer.from(`{"a": ${value}}`), {
    encoding: 'pg-text',
  });
  await expect(load).rejects.toMatchObject({ code: 'RowRejected', line: 1, column: 'a' });
});
