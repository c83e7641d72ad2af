import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBundle } from '../../src/bundle/bundle.ts';
import { importDescribe } from '../../src/bundle/import-describe.ts';
import { findTables, loadModels } from '../../src/bundle/load-models.ts';
import { selectFiles } from '../../src/bundle/selection.ts';
import { readMade } from '../../src/postgres/bundle-ledger.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { inTransaction } from '../../src/postgres/transaction.ts';
import { openSession, type Session } from '../postgres/session.ts';
import { bytesOf, makeZip } from './zip-writer.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('many_models');
  ({ client } = session);
  await ensureSchema(client);
});

afterAll(() => session.close());

const models = 250;
const names = Array.from({ length: models }, (_, place) => `model_${String(place).padStart(3, '0')}`);

/** Each points at the one before, two at what is nowhere. */
function describeYaml(): string {
  return names
    .map((name, place) => {
      const parent = [77, 78].includes(place) ? 'nowhere' : names[Math.max(0, place - 1)];
      return `${name}:\n  fields:\n    size: { type: integer }\n    parent: { type: uuid, relationship_type: referenced, related_model: ${parent} }\n`;
    })
    .join('');
}

/** How many queries something sends. */
async function queriesOf<T>(work: () => Promise<T>): Promise<{ queries: string[]; result: T }> {
  const queries: string[] = [];
  const send = client.query;
  client.query = ((...asked: Parameters<typeof send>) => {
    queries.push(String(asked[0]));
    return send.apply(client, asked);
  }) as typeof send;
  try {
    return { result: await work(), queries };
  } finally {
    client.query = send;
  }
}

test('a model more costs a few queries more, and the catalog is read for many at once', async () => {
  const records = names.map((name, place) => [`${name}.jsonl`, `{"id":"${randomUUID()}","size":${place}}\n`]);
  const bundle = await openBundle(
    bytesOf(await makeZip({ ...Object.fromEntries(records), 'describe.yaml': describeYaml() })),
  );
  const scope = { restoreId: 'many', namespace: 'many' };
  const { models: given = [] } = (await bundle.readDescription()) ?? {};
  const described = await queriesOf(() =>
    importDescribe(client, given, {
      ...scope,
      createModels: true,
      withData: true,
      undoable: false,
      held: null,
      transact: (work) => inTransaction(client, work),
      onProgress: () => {},
    }),
  );
  expect(described.result).toEqual(
    ['model_077', 'model_078'].map((model) => ({
      model,
      message: 'Field parent: no foreign key, as nowhere.id is not there, not unique, or of another type',
    })),
  );
  const { rows: keys } = await client.query(
    `select count(*) as keys from pg_constraint where contype = 'f' and connamespace = 'many'::regnamespace`,
  );
  expect(keys).toEqual([{ keys: models - 2 }]);
  expect(
    (await readMade(client, scope)).map(({ model, created, fields }) => [model, created, fields]),
  ).toEqual(names.map((name) => [name, true, ['size', 'parent']]));
  // Tables of many models, and then their foreign keys, by one round trip; those that cannot be are found by halves.
  expect(described.queries.length / models).toBeLessThan(0.5);

  const found = await queriesOf(() => findTables(client, scope.namespace, bundle.files));
  expect(found.queries).toHaveLength(1);
  expect(found.result.map(({ file, target }) => [file.model, target.table])).toEqual(
    names.map((name) => [name, name]),
  );
  const loaded = await queriesOf(() =>
    inTransaction(client, () =>
      loadModels(client, [found.result], {
        ...scope,
        strategy: 'upsert',
        incremental: false,
        undoable: false,
        created: new Set(names),
        way: 'straight',
        log: async () => {},
        onRecords: async () => {},
      }),
    ),
  );
  expect(loaded.result.map(({ model, inserted }) => [model, inserted])).toEqual(
    names.map((name) => [name, 1]),
  );
  // A COPY; what came of it is written for all.
  expect(loaded.queries.length / models).toBeLessThan(1.1);
});

test('of many models, the one that cannot be made is told, and none of its transaction stays', async () => {
  const yaml = describeYaml().replace(
    /(model_142:\s+fields:\s+size: { type: integer)/,
    '$1, default_value: much',
  );
  const bundle = await openBundle(bytesOf(await makeZip({ 'describe.yaml': yaml })));
  const scope = { restoreId: 'wrong', namespace: 'wrong' };
  const making = importDescribe(client, (await bundle.readDescription())?.models ?? [], {
    ...scope,
    createModels: true,
    withData: true,
    undoable: false,
    held: new Set(),
    transact: (work) => inTransaction(client, work),
    onProgress: () => {},
  });
  await expect(making).rejects.toMatchObject({
    code: 'InputInvalid',
    message: expect.stringContaining('describe.yaml: model_142: a default'),
  });
  const made = (await readMade(client, scope)).map(({ model }) => model);
  expect(made).toEqual(names.slice(0, 100));
  const { rows } = await client.query(
    `select tablename from pg_tables where schemaname = 'wrong' order by 1`,
  );
  expect(rows.map(({ tablename }) => tablename)).toEqual(made);
});

test('files are chosen without a look at the description', async () => {
  const bundle = await openBundle(bytesOf(await makeZip({ 'a.jsonl': '', 'describe.yaml': '{' })));
  expect(selectFiles(bundle, { include: ['data'], models: null }).map(({ model }) => model)).toEqual(['a']);
  await expect(bundle.readDescription()).rejects.toThrow('describe.yaml is not valid YAML');
});
