import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type BundleStrategy, bundleStrategies } from '../../src/contract/run-request.ts';
import type { StoredRestore } from '../../src/postgres/restores.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { reportUndo } from '../../src/undo/kept-changes.ts';
import { undoTables } from '../../src/undo/undo-restore.ts';
import { loadBundle } from '../bundle/load-bundle.ts';
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
  await loadBundle(client, { restoreId, namespace, strategy, describe, files, undoable: true });
  return restoreId;
}

async function undo(restoreId: string) {
  const restore = { request: { restoreId, options: { undoable: true } } } as unknown as StoredRestore;
  const { signal } = new AbortController();
  const failures = await undoTables(client, { undoId: 'undo', restore, disableTriggers: false, signal });
  return reportUndo(client, restoreId, failures, 10);
}

/** All rows of the models. */
async function content(): Promise<Record<string, string[]>> {
  const { rows: tables } = await client.query<{ name: string }>(
    'select relname as name from pg_class where relnamespace = $1::regnamespace and relkind = $2 order by 1',
    [namespace, 'r'],
  );
  const found: Record<string, string[]> = {};
  for (const { name } of tables) {
    const { rows } = await client.query<{ row: string }>(
      `select t::text as row from ${namespace}.${name} t order by 1`,
    );
    found[name] = rows.map(({ row }) => row);
  }
  return found;
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

test.each(bundleStrategies)('what an import with %s did to rows is undone', async (strategy) => {
  await loadBundle(client, {
    restoreId: `first-${namespace}`,
    namespace,
    strategy: 'upsert',
    describe: yaml,
    files: there,
  });
  const before = await content();
  const isNew = strategy === 'error';
  const files = isNew ? { teams: sent.teams?.slice(1) ?? [], users: sent.users?.slice(2) ?? [] } : sent;
  const restoreId = await imported(strategy, files);
  if (strategy !== 'merge') expect(await content()).not.toEqual(before);

  const tables = await undo(restoreId);

  expect(tables.flatMap(({ left }) => left)).toEqual([]);
  expect(await content()).toEqual(before);
  expect((await undo(restoreId)).flatMap(({ left }) => left)).toEqual([]);
  expect(await content()).toEqual(before);
});
