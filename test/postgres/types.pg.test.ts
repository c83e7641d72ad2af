import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ColumnType } from '../../src/archive/column-type.ts';
import { readTarget } from '../../src/postgres/catalog.ts';
import { openSession, type Session } from './session.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('types');
  client = session.client;
  await client.query(`
    create extension hstore;
    create schema other;
    create type other.mood as enum ('sad', 'happy');
    create domain other.tags as text[];
    create domain short as varchar(5);
    create type point_in_time as (at timestamptz, "Where" other.mood[], what short);
    create type pair as (a point_in_time, b short[]);
    create type span as range (subtype = short, multirange_type_name = spans);
  `);
});

afterAll(() => session.close());

const scalar = (name: string): ColumnType => ({ kind: 'scalar', name });
const array = (name: string, element: ColumnType, delimiter = ','): ColumnType => ({
  kind: 'array',
  name,
  element,
  delimiter,
});
const mood: ColumnType = { kind: 'enum', name: 'mood' };
const pointInTime: ColumnType = {
  kind: 'composite',
  name: 'point_in_time',
  fields: [
    { name: 'at', type: scalar('timestamptz') },
    { name: 'Where', type: array('_mood', mood) },
    { name: 'what', type: scalar('varchar') },
  ],
};

test.each<[string, ColumnType]>([
  ['bigint', scalar('int8')],
  ['"char"', scalar('char')],
  ['char(3)', scalar('bpchar')],
  ['name', scalar('name')],
  ['point', scalar('point')],
  ['int2vector', scalar('int2vector')],
  ['hstore', scalar('hstore')],
  ['text[][]', array('_text', scalar('text'))],
  ['box[]', array('_box', scalar('box'), ';')],
  ['short', scalar('varchar')],
  ['short[]', array('_short', scalar('varchar'))],
  ['other.tags', array('_text', scalar('text'))],
  ['other.tags[]', array('_tags', array('_text', scalar('text')))],
  ['other.mood', mood],
  ['other.mood[]', array('_mood', mood)],
  ['int4range', { kind: 'range', name: 'int4range', subtype: scalar('int4') }],
  ['span', { kind: 'range', name: 'span', subtype: scalar('varchar') }],
  ['spans', { kind: 'multirange', name: 'spans', subtype: scalar('varchar') }],
  ['tstzrange[]', array('_tstzrange', { kind: 'range', name: 'tstzrange', subtype: scalar('timestamptz') })],
  ['nummultirange', { kind: 'multirange', name: 'nummultirange', subtype: scalar('numeric') }],
  [
    'pair',
    {
      kind: 'composite',
      name: 'pair',
      fields: [
        { name: 'a', type: pointInTime },
        { name: 'b', type: array('_short', scalar('varchar')) },
      ],
    },
  ],
])('%s', async (type, expected) => {
  await client.query('drop table if exists t');
  await client.query(`create table t (value ${type})`);
  const target = await readTarget(client, 'public', 't');
  expect(target.columns[0]?.type).toEqual(expected);
});

test('the row type of a table is a composite, without its dropped columns', async () => {
  await client.query(`
    create table rows_of (a int, b int, c text);
    alter table rows_of drop column b;
    create table holder (value rows_of)`);
  const target = await readTarget(client, 'public', 'holder');
  expect(target.columns[0]?.type).toEqual({
    kind: 'composite',
    name: 'rows_of',
    fields: [
      { name: 'a', type: scalar('int4') },
      { name: 'c', type: scalar('text') },
    ],
  });
});

test('the name of a type works as SQL, schema and modifier included', async () => {
  await client.query('create table named (a other.mood[], b numeric(8,3)[], c "char", d timestamptz(3))');
  const { columns } = await readTarget(client, 'public', 'named');
  expect(columns.map(({ typeName }) => typeName)).toEqual([
    ...['other.mood[]', 'numeric(8,3)[]', '"char"', 'timestamp(3) with time zone'],
  ]);
});
