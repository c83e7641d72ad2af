import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type BundleStrategy, bundleStrategies } from '../../src/contract/run-request.ts';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { readFacts, recordUndoableImport } from '../../src/postgres/made-objects.ts';
import { removeOldImages } from '../../src/postgres/old-images.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { readTakenObjects } from '../../src/postgres/taken-objects.ts';
import { reportUndo } from '../../src/undo/kept-changes.ts';
import { undoTables } from '../../src/undo/undo-restore.ts';
import { undoneRestore } from '../../src/undo/undone-restore.ts';
import { loadBundle } from '../bundle/load-bundle.ts';
import { soakSeconds } from '../harness/soak.ts';
import { Random } from '../load/random.ts';
import { openSession, type Session } from '../postgres/session.ts';

let session: Session;
let client: pg.Client;
/** Of each test. */
let namespace = '';
let tests = 0;

beforeAll(async () => {
  session = await openSession('undo_bundle');
  ({ client } = session);
  await ensureSchema(client);
});

beforeEach(() => {
  namespace = `ns${tests++}`;
});

afterAll(() => session.close());

const yaml = `
teams:
  fields:
    title: { type: text, unique: true }
    lead: { type: uuid, relationship_type: referenced, related_model: users }
users:
  description: People
  fields:
    name: { type: text, required: true, index: true }
    age: { type: integer, maximum: 150 }
    tags: { type: 'text[]', default_value: '["a"]' }
    team: { type: uuid, relationship_type: owned, related_model: teams, cascade_delete: true }
    boss: { type: uuid, relationship_type: referenced, related_model: users }
`;

function id(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

type Files = Readonly<Record<string, readonly object[]>>;

/** Imports a bundle that can be undone. @returns id of the restore */
async function imported(strategy: BundleStrategy, files: Files, describe = yaml): Promise<string> {
  const restoreId = `run-${namespace}-${Math.random()}`;
  await recordUndoableImport(client, { restoreId, namespace, database: 'any' });
  await loadBundle(client, { restoreId, namespace, strategy, describe, files, undoable: true });
  return restoreId;
}

/** Undoes it, and tells what was left. */
async function undo(restoreId: string, onProgress = () => {}, { signal } = new AbortController()) {
  const restore = await undoneRestore(client, restoreId);
  const how = { undoId: 'undo', restore, disableTriggers: false, signal, onProgress };
  const failures = await undoTables(client, how);
  expect(failures).toEqual([]);
  const tables = await reportUndo(client, restoreId, failures, 10);
  const made = await readTakenObjects(client, restoreId, 10);
  return {
    rows: tables.flatMap(({ target, left }) => left.map(({ why, keys }) => [target, why, keys.flat()])),
    made: made?.examples.map(({ object, why }) => [object, why]) ?? [],
  };
}

/** All rows of the models, and all that they are made of. */
async function content(): Promise<Record<string, string[]>> {
  const { rows: tables } = await client.query<{ name: string }>(
    'select relname as name from pg_class where relnamespace = to_regnamespace($1) and relkind = $2 order by 1',
    [namespace, 'r'],
  );
  const found: Record<string, string[]> = {};
  for (const { name } of tables) {
    const { rows } = await client.query<{ row: string }>(
      `select t::text as row from ${namespace}.${name} t order by 1`,
    );
    found[name] = rows.map(({ row }) => row);
  }
  const { rows } = await client.query<{ oid: number }>(
    'select oid from pg_class where relnamespace = (select oid from pg_namespace where nspname = $1) and relkind = $2',
    [namespace, 'r'],
  );
  const made: string[] = [];
  // Of which number a column is, is nobody's business.
  for (const { kind, name, definition } of await readFacts(
    client,
    rows.map(({ oid }) => oid),
  ))
    made.push(`${kind} ${name} ${JSON.stringify({ ...definition, number: 0 })}`);
  return { ...found, made: made.sort() };
}

const there: Files = {
  teams: [
    { id: id(1), title: 'x', lead: id(11) },
    { id: id(2), title: 'y', lead: null },
  ],
  users: [
    { id: id(11), name: 'lead', team: id(1), boss: id(12), age: 3 },
    { id: id(12), name: 'boss', team: id(1), boss: id(12), tags: [] },
    { id: id(13), name: 'alone', team: id(2), boss: null },
  ],
};

const sent: Files = {
  teams: [
    { id: id(2), title: 'z', lead: id(21) },
    { id: id(3), title: 'new', lead: id(22) },
  ],
  users: [
    { id: id(13), name: 'not alone', team: id(3), boss: id(22) },
    { id: id(21), name: 'circle', team: id(2), boss: null },
    { id: id(22), name: 'circle', team: id(3), boss: id(22) },
  ],
};

const more = `${yaml}
    nick: { type: text, unique: true, index: true }
    since: { type: date, default_value: '2020-01-01', required: true }
    role: { type: uuid, relationship_type: referenced, related_model: roles }
roles:
  fields:
    name: { type: text, enum_values: [a, b] }
    owner: { type: uuid, relationship_type: referenced, related_model: users }
`;

test.each(bundleStrategies)('what an import with %s did is undone', async (strategy) => {
  await loadBundle(client, {
    ...{ restoreId: `first-${namespace}`, namespace, strategy: 'upsert' },
    ...{ describe: yaml, files: there },
  });
  const before = await content();
  const isNew = strategy === 'error';
  const [first, second, third] = sent.users ?? [];
  const files: Files = {
    ...(isNew
      ? { teams: sent.teams?.slice(1) ?? [], users: [{ ...second, team: id(3) }, third ?? {}] }
      : { ...sent, users: [{ ...first, nick: 'n', since: '2024-02-02' }, second ?? {}, third ?? {}] }),
    roles: [{ id: id(31), name: 'a', owner: id(13) }],
  };
  const restoreId = await imported(strategy, files, more);
  expect(await content()).not.toEqual(before);

  expect(await undo(restoreId)).toEqual({ rows: [], made: [] });

  expect(await content()).toEqual(before);
  expect(await undo(restoreId)).toEqual({ rows: [], made: [] });
  expect(await content()).toEqual(before);
});

test('models that refer to each other, and their schema, go as they came', async () => {
  const restoreId = await imported('upsert', there, more);
  expect(await undo(restoreId)).toEqual({ rows: [], made: [] });
  expect(await client.query('select to_regnamespace($1) as found', [namespace])).toMatchObject({
    rows: [{ found: null }],
  });
});

test('what was changed since is left and told, rows, fields and models', async () => {
  await loadBundle(client, {
    ...{ restoreId: `first-${namespace}`, namespace, strategy: 'upsert' },
    ...{ describe: yaml, files: there },
  });
  const restoreId = await imported('upsert', { users: [{ id: id(13), name: 'now', nick: 'n' }] }, more);
  await client.query(`
    create view ${namespace}.seen as select since from ${namespace}.users;
    alter table ${namespace}.users alter nick set default 'x';
    insert into ${namespace}.roles (name) values ('a')`);

  expect(await undo(restoreId)).toEqual({
    rows: [],
    made: [
      [`${namespace}.roles`, 'it has records'],
      [`${namespace}.users.nick`, 'column nick was changed, or came or went'],
      [`${namespace}.users.since`, `view ${namespace}.seen depends on it`],
    ],
  });
  const { rows: users } = await client.query(`select name, nick from ${namespace}.users where id = $1`, [
    id(13),
  ]);
  expect(users).toEqual([{ name: 'alone', nick: null }]);

  await client.query(`
    drop view ${namespace}.seen;
    alter table ${namespace}.users alter nick drop default;
    delete from ${namespace}.roles;
    update ${namespace}.users set since = '2021-01-01' where id = '${id(13)}'`);
  expect(await undo(restoreId)).toEqual({
    rows: [],
    made: [[`${namespace}.users.since`, 'it has values']],
  });
});

test('rows that were changed since are left, whatever the import did to them', async () => {
  await loadBundle(client, {
    ...{ restoreId: `first-${namespace}`, namespace, strategy: 'upsert' },
    ...{ describe: yaml, files: { users: [1, 2, 3, 4].map((n) => ({ id: id(n), name: `old ${n}` })) } },
  });
  const restoreId = await imported('replace', {
    users: [3, 4, 5, 6].map((n) => ({ id: id(n), name: `new ${n}` })),
  });
  await client.query(`
    update ${namespace}.users set name = 'mine' where id in ('${id(3)}', '${id(5)}');
    insert into ${namespace}.users (id, name) values ('${id(1)}', 'mine')`);

  expect(await undo(restoreId)).toEqual({
    rows: [[`${namespace}.users`, 'changed', [id(1), id(3), id(5)]]],
    made: [],
  });
  const { rows } = await client.query(`select id, name from ${namespace}.users order by id`);
  expect(rows).toEqual([
    { id: id(1), name: 'mine' },
    { id: id(2), name: 'old 2' },
    { id: id(3), name: 'mine' },
    { id: id(4), name: 'old 4' },
    { id: id(5), name: 'mine' },
  ]);
});

test('what was kept is removed in time, and the import cannot be undone any more then', async () => {
  const restoreId = await imported('upsert', there);
  const later = await imported('upsert', sent);
  const year = 365 * 86_400;
  const past = "now() - interval '366 days'";
  await client.query(`update thaw.undo_tables set kept_at = ${past} where restore_id = $1`, [restoreId]);
  expect(await removeOldImages(client, year)).toBe(0);
  await client.query(`update thaw.undoable_imports set begun_at = ${past} where restore_id = $1`, [
    restoreId,
  ]);
  expect(await removeOldImages(client, year)).toBe(1);
  const { rows } = await client.query(
    'select restore_id as id, count(*) as rows from thaw.undo_rows where restore_id in ($1, $2) group by 1',
    [restoreId, later],
  );
  expect(rows).toEqual([{ id: later, rows: 5 }]);
  await expect(undo(restoreId)).rejects.toMatchObject({ code: 'InputInvalid' });
});

test('random imports are undone one by one, the last first, also when an undo is broken off', {
  timeout: soakSeconds * 1000 + 120_000,
}, async () => {
  const first = Number(process.env.THAW_SEED ?? 1);
  const until = Date.now() + (soakSeconds / 4) * 1000;
  for (let seed = first; seed === first || Date.now() < until; seed += 1) {
    namespace = `random${seed}_${tests}`;
    const random = new Random(seed);
    await loadBundle(client, {
      ...{ restoreId: namespace, namespace, strategy: 'upsert' },
      ...{ describe: yaml, files: someRecords(random) },
    });
    const states: { readonly restoreId: string; readonly before: unknown }[] = [];
    for (let count = 0; count < 3; count += 1) {
      const before = await content();
      const restoreId = `${namespace}-${count}`;
      await recordUndoableImport(client, { restoreId, namespace, database: 'any' });
      const strategy = random.pick(bundleStrategies);
      const describe = random.pick([yaml, more]);
      await loadBundle(client, {
        ...{ restoreId, namespace, strategy, describe, files: someRecords(random), undoable: true },
      }).catch((error: unknown) => expect(error).toBeInstanceOf(ThawError));
      states.push({ restoreId, before });
    }
    for (const { restoreId, before } of states.toReversed()) {
      const stop = new AbortController();
      if (random.chance(0.5)) {
        let left = random.upTo(4);
        const breaksOff = () => {
          if (left-- === 0) stop.abort();
        };
        await undo(restoreId, breaksOff, stop).catch((error: unknown) =>
          expect(error).toBe(stop.signal.reason),
        );
      }
      expect(await undo(restoreId), `${restoreId}, seed ${seed}`).toEqual({ rows: [], made: [] });
      expect(await content(), `${restoreId}, seed ${seed}`).toEqual(before);
    }
  }
});

/** Records that refer to each other at random, in circles and to themselves, with unique titles that change hands. */
function someRecords(random: Random): Files {
  const teams = [1, 2, 3, 4].filter(() => random.chance(0.7));
  const users = [11, 12, 13, 14, 15].filter(() => random.chance(0.7));
  const someUser = () => (users.length === 0 || random.chance(0.3) ? null : id(random.pick(users)));
  const titles = ['w', 'x', 'y', 'z'];
  const pulled = teams.map(() => titles.splice(random.upTo(titles.length), 1)[0] ?? '');
  return {
    teams: teams.map((team, place) => ({ id: id(team), title: pulled[place], lead: someUser() })),
    users: users.map((user) => ({
      ...{ id: id(user), name: random.pick(['a', 'b']), age: random.upTo(3), boss: someUser() },
      team: teams.length === 0 || random.chance(0.3) ? null : id(random.pick(teams)),
    })),
  };
}
