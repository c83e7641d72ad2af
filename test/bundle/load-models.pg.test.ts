import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type LoadModelsOptions, needsStage } from '../../src/bundle/load-models.ts';
import type { BundleStrategy } from '../../src/contract/run-request.ts';
import type { LogLine } from '../../src/control/logs.ts';
import { type DecidedFile, readDecidedFiles } from '../../src/postgres/bundle-ledger.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { openSession, type Session } from '../postgres/session.ts';
import { jsonl, loadBundle } from './load-bundle.ts';

let session: Session;
let client: pg.Client;
/** Of each test. */
let namespace = '';
let tests = 0;
let log: LogLine[] = [];

beforeAll(async () => {
  session = await openSession('load_models');
  ({ client } = session);
  await ensureSchema(client);
});

beforeEach(() => {
  namespace = `ns${tests++}`;
  log = [];
});

afterAll(() => session.close());

const yaml = `
teams:
  fields:
    title: { type: text, unique: true }
    lead: { type: uuid, relationship_type: referenced, related_model: users }
users:
  fields:
    name: { type: text, required: true }
    age: { type: integer, maximum: 150 }
    tags: { type: 'text[]' }
    extra: { type: jsonb }
    team: { type: uuid, relationship_type: owned, related_model: teams, cascade_delete: true }
    boss: { type: uuid, relationship_type: referenced, related_model: users }
`;

function id(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

interface How {
  readonly restoreId?: string;
  readonly describe?: string | null;
  readonly incremental?: boolean;
  readonly withData?: boolean;
  readonly way?: LoadModelsOptions['way'];
}

/** Makes what is missing and loads all files in one transaction. */
async function load(
  strategy: BundleStrategy,
  files: Readonly<Record<string, readonly object[] | string>>,
  how: How = {},
): Promise<DecidedFile[]> {
  const { restoreId = `r${Math.random()}`, describe: description = yaml } = how;
  return loadBundle(client, {
    ...how,
    restoreId,
    namespace,
    strategy,
    describe: description,
    files,
    log: async (lines) => {
      log.push(...lines);
    },
  });
}

async function rows(model: string, columns: string): Promise<unknown[]> {
  const { rows: found } = await client.query({
    text: `select ${columns} from ${namespace}.${model} order by id`,
    rowMode: 'array',
  });
  return found;
}

function counts(decided: readonly DecidedFile[]): unknown {
  return Object.fromEntries(
    decided.map(({ model, state, inserted, updated, skipped, deleted }) => [
      model,
      [state, inserted, updated, skipped, deleted],
    ]),
  );
}

const error = (reason: unknown) => reason;

test.each(['straight', 'staged'] as const)(
  'values come back as the source system had them, ids and system columns too: %s',
  async (way) => {
    const record = {
      id: id(1),
      access_read: [id(7), id(8)],
      access_edit: [],
      created_at: '2025-01-19T10:00:00.123Z',
      updated_at: '2025-01-19T10:00:01.000Z',
      trashed_at: null,
      name: 'Ann "A"\n',
      age: 41,
      tags: ['a', 'b,c', null, '"'],
      extra: 'text',
      sparkle: 1,
    };
    const files = { users: [record, { id: id(2), name: 'Bob', extra: { n: [1.1, '2'] } }] };
    expect(counts(await load('upsert', files, { way }))).toEqual({ users: ['restored', 2, 0, 0, 0] });
    const found = await rows('users', 'id, access_read, created_at, name, age, tags, extra');
    expect(found).toEqual([
      [
        id(1),
        `{${id(7)},${id(8)}}`,
        '2025-01-19 10:00:00.123',
        'Ann "A"\n',
        41,
        ['a', 'b,c', null, '"'],
        'text',
      ],
      [id(2), '{}', expect.any(String), 'Bob', null, null, { n: [1.1, '2'] }],
    ]);
    expect(log.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'Field "sparkle" does not exist: 1 values were left out'],
    ]);
  },
);

describe('a record whose id is there', () => {
  const there = [
    { id: id(1), name: 'old', age: 1 },
    { id: id(2), name: 'same', age: 2 },
  ];
  const sent = [
    { id: id(1), name: 'new', age: 10 },
    { id: id(2), name: 'same', age: 2 },
    { id: id(3), name: 'third', age: 3 },
    { id: id(3), name: 'third', age: 33 },
  ];

  test.each([
    ['upsert', ['restored', 1, 2, 1, 0], ['new 10', 'same 2', 'third 33']],
    ['skip', ['restored', 1, 0, 3, 0], ['old 1', 'same 2', 'third 3']],
    ['sync', ['restored', 1, 0, 3, 0], ['old 1', 'same 2', 'third 3']],
    ['merge', ['skipped', 0, 0, 4, 0], ['old 1', 'same 2']],
    ['replace', ['restored', 3, 0, 1, 2], ['new 10', 'same 2', 'third 33']],
  ] as const)('under %s', async (strategy, expected, left) => {
    await load('upsert', { users: there });
    expect(counts(await load(strategy, { users: sent }))).toEqual({ users: expected });
    expect((await rows('users', `name || ' ' || age`)).flat()).toEqual(left);
    const named = log.filter(({ record }) => record !== null);
    expect(named.map(({ record, message, detail }) => [record, message, detail])).toEqual(
      strategy === 'sync'
        ? [1, 2].map((number) => [
            id(number),
            'Skipped existing record (sync strategy)',
            { reason: 'record_exists_in_parent' },
          ])
        : [],
    );
  });

  test('under error ends all of it', async () => {
    await load('upsert', { users: there });
    const reason = await load('error', { teams: [{ id: id(9), title: 'x' }], users: sent }).catch(error);
    expect(reason).toMatchObject({ code: 'ConflictFound', message: expect.stringContaining(id(1)) });
    expect(log.map(({ record, message }) => [record, message])).toEqual([
      [id(1), 'Record already exists (error strategy)'],
    ]);
    expect(await rows('users', 'name')).toEqual([['old'], ['same']]);
    expect(await rows('teams', 'title')).toEqual([]);
  });
});

test('models that this restore has made take their records under merge, also at a second attempt', async () => {
  const files = { users: [{ id: id(1), name: 'a' }] };
  const how = { restoreId: 'merges' };
  // The first attempt comes as far as the models.
  await load('merge', {}, how);
  expect(counts(await load('merge', files, how))).toEqual({ users: ['restored', 1, 0, 0, 0] });
  expect(counts(await load('merge', files, how))).toEqual({});
  expect(counts(await load('merge', files))).toEqual({ users: ['skipped', 0, 0, 1, 0] });
  expect(await rows('users', 'name')).toEqual([['a']]);
  const decided = await readDecidedFiles(client, { restoreId: 'merges', namespace });
  expect(counts(decided)).toEqual({ users: ['restored', 1, 0, 0, 0] });
});

test('an installation that came to no end can be done again', async () => {
  const files = { teams: [{ id: id(1), title: 'x' }], users: [{ id: id(2), name: 'a', age: 151 }] };
  expect(await load('merge', files).catch(error)).toMatchObject({ code: 'RowRejected' });
  const mended = { ...files, users: [{ id: id(2), name: 'a', age: 15 }] };
  expect(counts(await load('merge', mended))).toEqual({
    teams: ['restored', 1, 0, 0, 0],
    users: ['restored', 1, 0, 0, 0],
  });
  // What has its records, or got others, or was made to be empty, is old.
  await client.query(`delete from ${namespace}.users`);
  expect(counts(await load('merge', mended))).toMatchObject({ users: ['skipped', 0, 0, 1, 0] });
  namespace = `${namespace}_empty`;
  await load('merge', {}, { withData: false });
  expect(counts(await load('merge', mended))).toMatchObject({ users: ['skipped', 0, 0, 1, 0] });
});

describe('models that point at each other in a circle', () => {
  const files = {
    teams: [{ id: id(1), title: 'x', lead: id(2) }],
    users: [
      { id: id(2), name: 'lead', team: id(1), boss: id(3) },
      { id: id(3), name: 'boss', team: id(1), boss: null },
    ],
  };

  test('are loaded together, and replaced together', async () => {
    await load('error', files);
    const again = {
      teams: [{ id: id(5), title: 'x', lead: id(6) }],
      users: [{ id: id(6), name: 'other', team: id(5), boss: id(6) }],
    };
    expect(counts(await load('replace', again))).toEqual({
      teams: ['restored', 1, 0, 0, 1],
      users: ['restored', 1, 0, 0, 2],
    });
    expect(await rows('users', 'name')).toEqual([['other']]);
  });

  test('and at what is nowhere are refused', async () => {
    const reason = await load('upsert', { teams: [{ id: id(1), title: 'x', lead: id(4) }] }).catch(error);
    expect(reason).toMatchObject({ code: 'RowRejected', sqlstate: '23503' });
    expect(await rows('teams', 'id')).toEqual([]);
  });
});

test('what is there twice cannot be copied straight, and is told so', async () => {
  const files = {
    teams: [{ id: id(1), title: 'x' }],
    users: [
      { id: id(2), name: 'a' },
      { id: id(2), name: 'b' },
    ],
  };
  const reason = await load('upsert', files, { way: 'straight' }).catch(error);
  expect(reason).toMatchObject({ code: 'ConflictFound', sqlstate: '23505' });
  expect(needsStage(reason)).toBe(true);
  expect(await rows('teams', 'title')).toEqual([]);
  const broken = await load('upsert', { users: '{"id":\n' }, { way: 'straight' }).catch(error);
  expect(broken).toMatchObject({ code: 'ArchiveCorrupt' });
  expect(needsStage(broken)).toBe(false);
  // The restore that did not make them stages them, whatever way.
  await load('upsert', { users: [{ id: id(2), name: 'old' }] });
  expect(counts(await load('upsert', files, { way: 'straight' }))).toEqual({
    teams: ['restored', 1, 0, 0, 0],
    users: ['restored', 0, 1, 1, 0],
  });
});

test('replace does not delete what is not in the bundle', async () => {
  await load('upsert', {
    teams: [{ id: id(1), title: 'x' }],
    users: [{ id: id(2), name: 'a', team: id(1) }],
  });
  const reason = await load('replace', { teams: [{ id: id(1), title: 'y' }] }).catch(error);
  expect(reason).toMatchObject({
    code: 'ConflictFound',
    message: expect.stringContaining(`${namespace}.users`),
  });
  expect(await rows('teams', 'title')).toEqual([['x']]);
  expect(await rows('users', 'name')).toEqual([['a']]);
});

test('replace says which table points at what it would delete', async () => {
  await load('upsert', { teams: [{ id: id(1), title: 'x' }] });
  await client.query(
    `create table ${namespace}.notes as select id as team from ${namespace}.teams;
     alter table ${namespace}.notes add constraint of_team foreign key (team) references ${namespace}.teams`,
  );
  const reason = await load('replace', { teams: [{ id: id(1), title: 'y' }] }).catch(error);
  expect(reason).toMatchObject({
    code: 'ConflictFound',
    message: `${namespace}.notes: its records point at some that would be deleted, and it is not replaced (constraint of_team).`,
  });
  expect(await rows('teams', 'title')).toEqual([['x']]);
});

test('a file that was restored before is left out where that is asked for', async () => {
  const files = { users: [{ id: id(1), name: 'a' }], teams: [{ id: id(1), title: 'x' }] };
  await load('upsert', files);
  await client.query(`delete from ${namespace}.users`);
  const changed = { ...files, teams: [{ id: id(1), title: 'y' }] };
  expect(counts(await load('upsert', changed, { incremental: true }))).toEqual({
    users: ['same', 0, 0, 0, 0],
    teams: ['restored', 0, 1, 0, 0],
  });
  expect(await rows('users', 'id')).toEqual([]);
  expect(counts(await load('upsert', changed))).toMatchObject({ users: ['restored', 1, 0, 0, 0] });
});

describe('what cannot be loaded is told, and leaves nothing', () => {
  test.each([
    ['a line that is no JSON', '{"id":\n', 'ArchiveCorrupt', 'Line 1, byte 6 of users.jsonl: '],
    [
      'a value of another type',
      `${jsonl([{ id: id(1), name: 'a' }])}\n${jsonl([{ id: id(2), name: 'b', age: 'old' }])}`,
      'RowRejected',
      '.users, line 3 of users.jsonl: a value cannot be read as the type of its column (column age,',
    ],
    ['a value against a rule', jsonl([{ id: id(1), name: 'a', age: 151 }]), 'RowRejected', 'users'],
    ['a field without its value', jsonl([{ id: id(1) }]), 'RowRejected', 'users'],
  ])('%s', async (_, text, code, words) => {
    const reason = await load('upsert', { users: text }).catch(error);
    expect(reason).toMatchObject({ code, message: expect.stringContaining(words) });
    expect(await rows('users', 'id')).toEqual([]);
  });

  test('a model that is not there', async () => {
    const reason = await load('upsert', { ghosts: [] }, { describe: null }).catch(error);
    expect(reason).toMatchObject({ code: 'TargetMissing' });
  });
});
