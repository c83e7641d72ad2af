import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSession, type Session } from '../../postgres/session.ts';
import { rowsOf } from '../merge/merge-site.ts';
import { type LogShape, logSql, logTable, replayTo, takeBase } from './log-site.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('replay_model');
  client = session.client;
});
afterAll(() => session.close());

/** A change of rows, as SQL. */
const numbers = fc.integer({ min: 1, max: 5 });
const values = fc.constantFrom(
  ...['null', '1', '1.0', '1.00', '12345678901234567890.1234567890', `'NaN'`, '-0.5'],
);
const columns = fc.constantFrom(
  ...[`note = 'a"\\b'`, `note = null`, `seat = seat + 1`, `at = 'infinity'`, `at = now() + interval '1 us'`],
  ...[
    `ratio = 0.1::float8 + 0.2::float8`,
    `ratio = '-Infinity'`,
    `bytes = '\\x00ff'`,
    `tags = '{a,NULL,"b c"}'`,
  ],
  ...[`tags = '{{x},{y}}'`, `pair = row(1, 'p,"q"')`, `pair = null`, `span = '-1 mon 2 days 00:00:01.5'`],
  ...[`doc = '{"a": [1, null, 1.50]}'`, `days = '[2026-01-01,2026-02-01)'`, `doc = doc || '{"b": 2}'`],
);
const changes = fc.oneof(
  fc
    .tuple(numbers, values)
    .map(([id, v]) => `insert into things (id, amount) values (${id}, ${v}) on conflict do nothing`),
  fc.tuple(numbers, values).map(([id, v]) => `update things set amount = ${v} where id = ${id}`),
  fc.tuple(numbers, columns).map(([id, set]) => `update things set ${set} where id = ${id}`),
  columns.map((set) => `update things set ${set}`),
  numbers.map((id) => `delete from things where id = ${id}`),
  fc
    .tuple(numbers, numbers)
    .map(
      ([from, to]) =>
        `update things set id = ${to} where id = ${from} and not exists (select from things where id = ${to})`,
    ),
);
const transactions = fc.array(fc.array(changes, { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 8,
});
const shapes: fc.Arbitrary<LogShape> = fc.record({ counted: fc.boolean(), partial: fc.boolean() });

async function makeTable(shape: LogShape): Promise<void> {
  await client.query(`
    drop schema public cascade; create schema public; drop schema if exists kept cascade; create schema kept;
    create type couple as (a int, b text);
    create table things (id numeric(6,1) primary key, amount numeric, seat int default 0, note text, at timestamptz,
      ratio float8, bytes bytea, tags text[], pair couple, span interval, doc jsonb default '{}', days daterange,
      twice numeric generated always as (seat * 2) stored);
    ${logSql(shape)}; ${logTable('things')}`);
}

/** Does a transaction, and keeps what is there after it. Gives its time. */
async function commit(statements: readonly string[], number: number): Promise<string> {
  await client.query('begin');
  for (const statement of statements) await client.query(statement);
  const { rows } = await client.query<{ at: string }>('select now()::text as at');
  await client.query(`create table kept.at_${number} as table things; commit`);
  return rows[0]?.at ?? '';
}

test('a log that triggers wrote brings a snapshot to each moment after it', async () => {
  await fc.assert(
    fc.asyncProperty(shapes, transactions, transactions, async (shape, before, after) => {
      await makeTable(shape);
      for (const [number, statements] of before.entries()) await commit(statements, number);
      const base = await takeBase(client, ['things']);
      const moments: string[] = [];
      for (const [number, statements] of after.entries())
        moments.push(await commit(statements, before.length + number));
      for (const [number, until] of moments.entries()) {
        const xactSnapshot = number % 2 === 0 ? base.xactSnapshot : null;
        await replayTo(client, ['things'], { ...base, xactSnapshot }, until);
        const { rows } = await client.query<{ names: string }>(
          `select string_agg(quote_ident(attname), ', ' order by attnum) as names
           from pg_attribute where attrelid = 'stage.things'::regclass and attnum > 0`,
        );
        const kept = `(select ${rows[0]?.names} from kept.at_${before.length + number})`;
        expect(await rowsOf(client, 'stage.things')).toEqual(await rowsOf(client, kept));
      }
    }),
    { numRuns: 6 },
  );
});
