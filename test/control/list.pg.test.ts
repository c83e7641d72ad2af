import { afterAll, beforeAll, expect, test } from 'vitest';
import { ControlDatabase } from '../../src/control/control-database.ts';
import { type ListQuery, listPage } from '../../src/control/list.ts';
import {
  insertRestore,
  type RestoreRow,
  type RestoreSettings,
  restoreListing,
} from '../../src/control/restores.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';

const owner = { subject: 'somebody', tenant: 'a', namespace: 'public' };
let database: TestDatabase;
let control: ControlDatabase;

beforeAll(async () => {
  database = await createTestDatabase('list');
  control = new ControlDatabase(database.url);
  const settings = (name: string, changes: Partial<RestoreSettings>): RestoreSettings => ({
    name,
    description: null,
    source_type: 'upload',
    source_ref: null,
    conflict_strategy: 'upsert',
    include: ['describe', 'data'],
    models: null,
    create_models: true,
    enabled: true,
    options: {},
    ...changes,
  });
  await control.use(async (client) => {
    await insertRestore(client, owner, settings('Alpha', { description: 'one 100%' }));
    await insertRestore(client, owner, settings('beta', { models: ['users', 'orders'], enabled: false }));
    await insertRestore(client, owner, settings('gamma_ray', { models: ['users'], include: ['data'] }));
    await insertRestore(client, { ...owner, tenant: 'b' }, settings('of another tenant', {}));
    await client.query(
      `update thaw_api.restores set total_runs = 7, last_run_at = '2026-01-04T05:20:21Z' where name = 'beta'`,
    );
    await client.query(`update thaw_api.restores set trashed_at = now() where name = 'gamma_ray'`);
    await client.query(`insert into thaw_api.restores
        (tenant, namespace, name, source_type, conflict_strategy, include, create_models, enabled, created_by, total_runs)
      select 'many', 'public', 'r' || n, 'upload', 'upsert', '{data}', true, true, 'somebody', n % 3 from generate_series(1, 25) n`);
  });
});

afterAll(async () => {
  await control.close();
  await database.drop();
});

async function list(query: Partial<ListQuery>, tenant: string | null = 'a') {
  const whole = { where: [], order: [], limit: 100, offset: 0, includeTrashed: true, ...query };
  return control.use((client) => listPage<RestoreRow>(client, restoreListing, whole, tenant));
}

function nested(times: number): object {
  return times === 0 ? {} : { $not: nested(times - 1) };
}

async function namesOf(...where: unknown[]): Promise<string> {
  const { rows } = await list({ where, order: [{ field: 'name', direction: 'asc' }] });
  return rows
    .map(({ name }) => name.slice(0, 1).toLowerCase())
    .sort()
    .join('');
}

test.each([
  [{}, 'abg'],
  [{ name: 'beta' }, 'b'],
  [{ name: ['beta', 'Alpha', 'of another tenant'] }, 'ab'],
  [{ name: { $eq: 'beta' } }, 'b'],
  [{ name: { $ne: 'beta' } }, 'ag'],
  [{ name: { $neq: 'beta' } }, 'ag'],
  [{ description: { $ne: 'one 100%' } }, 'bg'],
  [{ description: null }, 'bg'],
  [{ description: { $null: true } }, 'bg'],
  [{ description: { $null: false } }, 'a'],
  [{ description: { $exists: 'true' } }, 'a'],
  [{ total_runs: { $gt: 6 } }, 'b'],
  [{ total_runs: { $gte: '7' } }, 'b'],
  [{ total_runs: { $lt: 7 } }, 'ag'],
  [{ total_runs: { $lte: 7.5, $gt: 0 } }, 'b'],
  [{ total_runs: { $gt: '99999999999999999999' } }, ''],
  [{ total_runs: { $between: [1, 9] } }, 'b'],
  [{ total_runs: { $in: [7, 8] } }, 'b'],
  [{ total_runs: { $nin: [7, 8] } }, 'ag'],
  [{ total_runs: [] }, ''],
  [{ description: { $in: [null, 'x'] } }, 'bg'],
  [{ last_run_at: { $gte: '2026-01-04T06:20:21+01:00' } }, 'b'],
  [{ last_run_at: { $gt: '2026-01-04T05:20:21Z' } }, ''],
  [{ name: { $like: 'b%' } }, 'b'],
  [{ name: { $nlike: 'b%' } }, 'ag'],
  [{ name: { $ilike: 'ALPHA' } }, 'a'],
  [{ name: { $nilike: 'ALPHA' } }, 'bg'],
  [{ name: { $regex: '^[a-z]+$' } }, 'b'],
  [{ name: { $nregex: '^[a-z]+$' } }, 'ag'],
  [{ description: { $nlike: 'x' } }, 'abg'],
  [{ name: { $find: 'PH' } }, 'a'],
  [{ description: { $text: '100%' } }, 'a'],
  [{ name: { $search: 'a_r' } }, 'g'],
  [{ name: { $search: 'a%a' } }, ''],
  [{ enabled: false }, 'b'],
  [{ enabled: 'true' }, 'ag'],
  [{ models: 'users' }, 'bg'],
  [{ models: ['users'] }, 'g'],
  [{ models: { $any: ['orders', 'x'] } }, 'b'],
  [{ models: { $all: ['orders', 'users'] } }, 'b'],
  [{ models: { $nany: ['orders'] } }, 'ag'],
  [{ models: { $nall: ['orders', 'users'] } }, 'ag'],
  [{ models: { $size: 1 } }, 'g'],
  [{ models: { $size: { $gte: 1 } } }, 'bg'],
  [{ models: null }, 'a'],
  [{ $and: [{ models: 'users' }, { enabled: true }] }, 'g'],
  [{ $or: [{ name: 'beta' }, { name: 'Alpha' }] }, 'ab'],
  [{ $not: { name: 'beta' } }, 'ag'],
  [{ $not: { description: 'one 100%' } }, 'bg'],
  [{ $nand: [{ models: 'users' }, { enabled: true }] }, 'ab'],
  [{ $nor: [{ name: 'beta' }, { name: 'Alpha' }] }, 'g'],
  [{ $or: [] }, ''],
  [{ $or: [{ $and: [{ name: 'beta' }, { enabled: false }] }, { $not: { models: 'users' } }] }, 'ab'],
])('%j finds %s', async (where, found) => {
  expect(await namesOf(where)).toBe(found);
});

test('all of several conditions must hold', async () => {
  expect(await namesOf({ models: 'users' }, { enabled: false })).toBe('b');
});

test.each([
  [{ nme: 'x' }, 'where: has no field nme'],
  [{ tenant: 'b' }, 'where: has no field tenant'],
  [{ constructor: 'b' }, 'where: has no field constructor'],
  [{ 'name = name or name': 'b' }, 'where: has no field'],
  [{ name: { $like: 'a', $drop: 1 } }, 'name: has no operator $drop'],
  [{ models: { $like: 'a' } }, 'models: has no operator $like'],
  [{ total_runs: 'many' }, 'total_runs: must be compared with a number'],
  [{ total_runs: { $like: '7' } }, 'total_runs: is no text'],
  [{ enabled: 'perhaps' }, 'enabled: must be compared with true or false'],
  [{ created_at: { $gt: 'yesterday' } }, 'created_at: must be compared with a time'],
  [{ name: { $gt: null } }, 'name: must be compared with text'],
  [{ name: 'a\0b' }, 'name: must be compared with text without NUL'],
  [{ name: { $between: ['a'] } }, 'name: must be between two values'],
  [{ name: { $regex: '(' } }, 'where: has a pattern that is not valid'],
  [{ name: { $like: '\\' } }, 'where: has a pattern that is not valid'],
  [{ name: { $regex: 'a'.repeat(201) } }, 'name: must be compared with at most 200 characters'],
  [[], 'where: must be an object'],
  ['name', 'where: must be an object'],
  [nested(10), 'where: must not be nested'],
])('%j is refused', async (where, message) => {
  await expect(list({ where: [where] })).rejects.toMatchObject({
    code: 'InputInvalid',
    message: expect.stringContaining(message),
  });
});

test('pages in an order neither overlap nor leave anything out', async () => {
  const order = [{ field: 'total_runs', direction: 'desc' }] as const;
  const first = await list({ order, limit: 10 }, 'many');
  const second = await list({ order, limit: 10, offset: 10 }, 'many');
  const third = await list({ order, limit: 10, offset: 20 }, 'many');
  expect([first, second, third].map(({ rows, more }) => [rows.length, more])).toEqual([
    [10, true],
    [10, true],
    [5, false],
  ]);
  const rows = [first, second, third].flatMap((page) => page.rows);
  expect(new Set(rows.map(({ id }) => id)).size).toBe(25);
  const runs = rows.map(({ total_runs }) => total_runs);
  expect(runs).toEqual([...runs].sort((a, b) => b - a));
  await expect(list({ order: [{ field: 'id; drop', direction: 'asc' }] })).rejects.toMatchObject({
    code: 'InputInvalid',
  });
});

test('what was deleted is shown only where it is asked for, what others have to root alone', async () => {
  expect((await list({ includeTrashed: false })).rows.map(({ name }) => name)).toEqual(['beta', 'Alpha']);
  expect((await list({}, 'b')).rows.map(({ name }) => name)).toEqual(['of another tenant']);
  expect((await list({}, null)).rows).toHaveLength(29);
});
