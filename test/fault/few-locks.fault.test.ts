import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PortBook } from '../../src/stack/port.ts';
import { type PostgresServer, startPostgresServer } from '../../src/stack/postgres-server.ts';
import { type BundleSite, createBundleSite } from '../bundle/bundle-site.ts';
import { createTestDatabase } from '../harness/postgres.ts';

let folder: string;
let server: PostgresServer;
let site: BundleSite;

/** A PostgreSQL of its own with room for about 1,000 locks, as to run out of them would disturb the tests beside. */
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-few-locks-'));
  // PostgreSQL runs as another user where this is root, and must get through.
  await chmod(folder, 0o711);
  const place = path.join(folder, 'own-postgres');
  const options = { folder: place, ports: new PortBook(place), id: randomBytes(4).toString('hex') };
  const start = () =>
    startPostgresServer({ ...options, password: 'secret', durable: false, maxConnections: 30 });
  server = await start();
  const client = new pg.Client({ connectionString: server.url('postgres') });
  await client.connect();
  await client.query('alter system set max_locks_per_transaction = 12');
  await client.end();
  await server.process.stop();
  server = await start();
  const database = await createTestDatabase('few_locks', server.url('postgres'));
  site = await createBundleSite('few_locks', 'worker', { database });
});

afterAll(async () => {
  await site?.close();
  await server?.process.stop();
  await rm(folder, { recursive: true, force: true });
});

const names = Array.from({ length: 400 }, (_, place) => `model_${String(place).padStart(3, '0')}`);
const record = '{"id":"00000000-0000-4000-8000-000000000001","title":"a"}\n';
const files: Record<string, string> = {
  'describe.yaml': names.map((name) => `${name}:\n  fields:\n    title: { type: text }\n`).join(''),
  ...Object.fromEntries(names.map((name) => [`${name}.jsonl`, record])),
};

async function leftIn(namespace: string): Promise<unknown> {
  const [counts] = await site.rows(
    `select (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = '${namespace}' and c.relkind = 'r') as tables,
       (select count(*) from thaw.bundle_models where schema_name = '${namespace}') as made,
       (select count(*) from thaw.bundle_files where schema_name = '${namespace}') as files,
       (select count(*) from thaw.targets where schema_name = '${namespace}' and released_at is null) as held`,
  );
  return counts;
}

test('a bundle that needs more locks in one transaction than there is room for', {
  timeout: 120_000,
}, async () => {
  const run = await site.restore(files, { namespace: 'wide', conflictStrategy: 'replace' });
  expect(run).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('PostgreSQL has no room for so many locks (SQLSTATE 53200)'),
    counts: { modelsCreated: 0, recordsImported: 0 },
  });
  const [end] = (await site.log(run.id)).filter(({ level }) => level === 'error');
  expect(end?.detail).toMatchObject({
    code: 'ConfigInvalid',
    hint: expect.stringContaining('Raise max_locks_per_transaction'),
  });
  // Nothing is left half, not even the schema.
  expect(await leftIn('wide')).toEqual({ tables: 0, made: 0, files: 0, held: 0 });
  expect(await site.rows(`select from pg_namespace where nspname = 'wide'`)).toEqual([]);
  // What the hint says helps.
  const all = await site.restore(files, { namespace: 'wide' });
  expect(all).toMatchObject({ status: 'completed', counts: { modelsCreated: 400, recordsImported: 400 } });
  expect(await leftIn('wide')).toEqual({ tables: 400, made: 400, files: 400, held: 0 });
  const some = await site.restore(files, {
    namespace: 'wide',
    conflictStrategy: 'replace',
    models: names.slice(0, 50),
  });
  expect(some).toMatchObject({ status: 'completed', counts: { recordsDeleted: 50, recordsImported: 50 } });
});
