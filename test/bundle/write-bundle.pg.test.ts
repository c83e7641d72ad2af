import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBundle } from '../../src/bundle/bundle.ts';
import { writeBundle } from '../../src/bundle/write-bundle.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { bytesOf } from './zip-writer.ts';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase('extract');
  client = await database.client();
  await client.query(`
    create schema acme;
    create table acme.teams (
      id uuid primary key default gen_random_uuid(),
      title text not null unique,
      updated_at timestamp not null default now()
    );
    comment on table acme.teams is 'Who works together';
    create table acme.users (
      id uuid primary key default gen_random_uuid(),
      team uuid references acme.teams (id) on delete cascade,
      email text not null check (email ~ '^[^@]+@it''s'),
      status text default 'new''s' check (status = any (array['new''s', 'old'])),
      age integer default 18 check (age >= 0) check (age <= 150),
      nick text check (length(nick) >= 2),
      price numeric default 1.50,
      tags text[] default '{}',
      meta jsonb default '{"a": 1}',
      raw json,
      bytes bytea,
      place point,
      at timestamptz default now(),
      serial bigserial
    );
    create index on acme.users (status);
    create table acme."Odd Name" (id int);
    create table acme.restore_runs (id int);
    insert into acme.teams values ('00000000-0000-0000-0000-000000000001', E'back\\\\slash "quoted"\\nline \\u0001\\u0002\\u2028', '2026-01-02 03:04:05.123456');
    insert into acme.users (id, email, price, tags, meta, raw, bytes, place) values
      ('00000000-0000-0000-0000-00000000000a', 'a@it''s', 12345678901234567890.1000, '{"x,y",null,"\\\\"}', '{"n": 9223372036854775807}', E'{ "b":\\n1 }', decode(repeat('ff', 100), 'hex'), '(1,2)')`);
});

afterAll(async () => {
  await database.drop();
});

async function written(changes: object = {}) {
  const content = {
    ...{
      runId: 'run-1',
      extractId: 'extract-1',
      namespace: 'acme',
      models: null,
      onRecords: () => undefined,
    },
    ...{ include: ['describe', 'data'] as const },
    ...changes,
  };
  const { bytes, result } = writeBundle(client, content);
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return { bundle: await openBundle(bytesOf(Buffer.concat(chunks))), result: await result };
}

async function linesOf(bundle: Awaited<ReturnType<typeof openBundle>>, model: string): Promise<string[]> {
  const chunks: Buffer[] = [];
  const file = bundle.files.find((each) => each.model === model);
  for await (const chunk of (await file?.open()) ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString().split('\n');
}

test('tables are written as models, to the last bit, with checksums and counts that openBundle compares', async () => {
  const { bundle, result } = await written();
  expect(bundle.files.map(({ name, records }) => ({ name, records }))).toEqual([
    { name: 'teams.jsonl', records: 1 },
    { name: 'users.jsonl', records: 1 },
  ]);
  expect(bundle.files.every(({ sha256 }) => sha256 !== null)).toBe(true);
  expect(await linesOf(bundle, 'teams')).toEqual([
    '{"id":"00000000-0000-0000-0000-000000000001","title":"back\\\\slash \\"quoted\\"\\nline \\u0001\\u0002\u2028","updated_at":"2026-01-02T03:04:05.123456"}',
    '',
  ]);
  const [user = ''] = await linesOf(bundle, 'users');
  expect(user).toContain('"price":12345678901234567890.1000,"tags":["x,y",null,"\\\\"]');
  expect(user).toContain('"meta":{"n": 9223372036854775807},"raw":{"b": 1}');
  expect(JSON.parse(user)).toMatchObject({
    bytes: Buffer.alloc(100, 255).toString('base64'),
    place: '(1,2)',
    serial: 1,
  });
  expect(result).toMatchObject({ models: 2, records: 2 });
});

test('the description has the rules that an import makes, and what it has no words for is told', async () => {
  const { bundle, result } = await written();
  const [teams, users] = (await bundle.readDescription())?.models ?? [];
  expect(teams).toMatchObject({
    name: 'teams',
    description: 'Who works together',
    fields: [{ name: 'title', unique: true, required: true }],
  });
  const fields = Object.fromEntries((users?.fields ?? []).map((field) => [field.name, field]));
  expect(fields).toMatchObject({
    team: { type: 'uuid', relationship: { type: 'owned', model: 'teams', field: 'id', cascadeDelete: true } },
    email: { type: 'text', required: true, pattern: "^[^@]+@it's" },
    status: { defaultValue: "new's", enumValues: ["new's", 'old'], index: true },
    age: { type: 'integer', defaultValue: '18', minimum: '0', maximum: '150' },
    nick: { minimum: '2' },
    price: { type: 'numeric', defaultValue: '1.50' },
    tags: { type: 'text[]', defaultValue: '{}' },
    meta: { type: 'jsonb', defaultValue: '{"a": 1}' },
    raw: { type: 'jsonb' },
    place: { type: 'text' },
    at: { type: 'timestamp', defaultValue: 'now()' },
    serial: { type: 'bigint', required: true },
  });
  expect((await bundle.readDescription())?.warnings).toEqual([]);
  expect(result.notices).toEqual([
    'users.bytes: bytea is described as text',
    'users.place: point is described as text',
    'users.at: timestamp with time zone is described as timestamp',
    "users.serial: not described: default nextval('acme.users_serial_seq'::regclass)",
  ]);
});

test('only what is chosen is written', async () => {
  const { bundle } = await written({ models: ['teams'], include: ['data'] });
  expect(bundle.files.map(({ name }) => name)).toEqual(['teams.jsonl']);
  expect(await bundle.readDescription()).toBeNull();
  for (const models of [['teams', 'nobody'], ['restore_runs'], ['Odd Name']]) {
    const error = await written({ models }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'TargetMissing' });
    await client.query('rollback');
  }
});

test('all tables are as they were at one moment', async () => {
  const other = await database.client();
  await other.query('begin; lock table acme.users in access exclusive mode');
  const writing = written({ include: ['data'] });
  const waits = `select count(*)::int as count from pg_locks where not granted and relation = 'acme.users'::regclass`;
  const waiting = async () => (await other.query<{ count: number }>(waits)).rows[0]?.count;
  await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
  // The first table was read, or is to be; both change before the second is.
  await other.query("delete from acme.users; insert into acme.teams (title) values ('late'); commit");
  const { bundle } = await writing;
  expect(bundle.files.map(({ model, records }) => [model, records])).toEqual([
    ['teams', 1],
    ['users', 1],
  ]);
  expect((await client.query('select count(*)::int as count from acme.users')).rows).toEqual([{ count: 0 }]);
});
