import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { asAdministrator } from '../harness/postgres.ts';
import { openSession, type Session } from '../postgres/session.ts';
import {
  type ArchivedValue,
  anyText,
  arrayOf,
  decimal,
  listOf,
  multirangeOf,
  orNull,
  rangeOf,
  recordOf,
  scalars,
} from './archived-values.ts';
import { restoreLines } from './restore-table.ts';

type Values = fc.Arbitrary<ArchivedValue>;

let session: Session;
let client: pg.Client;

/** Defaults that would change what is read or written, if a connection did not set its own. */
const hostile = {
  TimeZone: 'America/St_Johns',
  DateStyle: 'German, DMY',
  IntervalStyle: 'sql_standard',
  bytea_output: 'escape',
  extra_float_digits: '-3',
  xmloption: 'document',
  array_nulls: 'off',
};

beforeAll(async () => {
  session = await openSession('values');
  for (const [name, value] of Object.entries(hostile)) {
    await asAdministrator(`alter database "${session.config.database}" set ${name} to '${value}'`);
  }
  client = await session.open();
  await client.query(`
    create extension hstore;
    create extension citext;
    create schema "Other Place";
    create type "Other Place".mood as enum ('sad', 'it''s "ok", {really}', 'NULL', '');
    create type "Other Place".entry as (id bigint, note text, amount numeric, fine boolean, at timestamptz, day date);
    create type span as range (subtype = numeric);
    create domain positive as numeric check (value is null or value >= 0);
    create domain price as positive;
    create domain words as text[];
    create domain few_words as words check (cardinality(value) < 100);
    create domain blobs as bytea[];
    create domain entries as "Other Place".entry;
    create domain document as jsonb;
    -- a type with functions of its own, of no extension
    create type weird;
    create function weird_in(cstring) returns weird language internal immutable strict as 'textin';
    create function weird_out(weird) returns cstring language internal immutable strict as 'textout';
    create type weird (input = weird_in, output = weird_out, like = text)`);
});
afterAll(() => session.close());

/** A column of the type and one of arrays of it. */
interface Pair {
  readonly one: ArchivedValue;
  readonly many: ArchivedValue;
}

async function expectRestored(type: string, pairs: readonly Pair[]): Promise<void> {
  await client.query('drop table if exists source, target');
  for (const name of ['source', 'target'])
    await client.query(`create table ${name} (id int, one ${type}, many ${type}[])`);
  await client.query(
    `insert into source select id, one::${type}, many::${type}[]
     from unnest($1::text[], $2::text[]) with ordinality as t (one, many, id)`,
    [pairs.map(({ one }) => one.sql), pairs.map(({ many }) => many.sql)],
  );
  const lines = pairs.map(
    ({ one, many }, index) => `{"id": ${index + 1}, "one": ${one.json}, "many": ${many.json}}`,
  );
  await restoreLines(client, 'public', 'target', Buffer.from(lines.join('\n')), {}, 100);
  // Of an interval the archive has no months, and days of 24 hours: the same time by another text.
  const as = type === 'interval' ? '' : '::text';
  const { rows } = await client.query(
    `select s.one::text as one, t.one::text as restored, s.many::text as many, t.many::text as all_restored
     from source s full join target t using (id)
     where s.id is null or t.id is null or s.one${as} is distinct from t.one${as}
       or s.many${as} is distinct from t.many${as}`,
  );
  expect(rows).toEqual([]);
}

async function check(type: string, values: Values, arrays = arrayOf(values)): Promise<void> {
  const pairs = fc.array(fc.record({ one: orNull(values), many: orNull(arrays) }), {
    minLength: 1,
    maxLength: 60,
  });
  await fc.assert(
    fc.asyncProperty(pairs, (batch) => expectRestored(type, batch)),
    { numRuns: 3 },
  );
}

test.for(Object.entries(scalars))('%s comes back as it was', ([type, values]) => check(type, values));

const numbers = (a: string, b: string) => Number(a) - Number(b);
const texts = (a: string, b: string) => (a < b ? -1 : Number(a > b));
const whole = scalars.integer as Values;
const entry = recordOf({
  id: scalars.bigint as Values,
  note: scalars.text as Values,
  amount: decimal,
  fine: scalars.boolean as Values,
  at: scalars['timestamp with time zone'] as Values,
  day: scalars.date as Values,
});
const positive = decimal.filter(({ sql }) => !sql?.startsWith('-'));
const label = fc.constantFrom('sad', 'it\'s "ok", {really}', 'NULL', '').map((text) => ({
  sql: text,
  json: JSON.stringify(text),
}));
const plain = anyText.map((text) => ({ sql: text, json: JSON.stringify(text) }));

const composed: readonly (readonly [string, Values, Values?])[] = [
  ['int4range', rangeOf(whole, numbers)],
  ['numrange', rangeOf(decimal, numbers)],
  ['span', rangeOf(decimal, numbers)],
  ['nummultirange', multirangeOf(rangeOf(decimal, numbers))],
  ['daterange', rangeOf(scalars.date as Values, texts)],
  ['tsrange', rangeOf(scalars.timestamp as Values, texts)],
  ['tstzrange', rangeOf(scalars['timestamp with time zone'] as Values, texts)],
  ['"Other Place".entry', entry],
  ['"Other Place".mood', label],
  ['price', positive],
  ['few_words', listOf(scalars.text as Values), listOf(listOf(scalars.text as Values))],
  ['blobs', listOf(scalars.bytea as Values), listOf(listOf(scalars.bytea as Values))],
  ['entries', entry],
  ['document', scalars.jsonb as Values],
  ['weird', plain],
];

test.for(composed)('%s comes back as it was', ([type, values, arrays]) => check(type, values, arrays));
