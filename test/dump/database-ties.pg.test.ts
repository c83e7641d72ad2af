import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { checkReplaceable } from '../../src/dump/swap/check-target.ts';
import { connect, disconnect } from '../../src/postgres/connection.ts';
import { PortBook } from '../../src/stack/port.ts';
import { type PostgresServer, startPostgresServer } from '../../src/stack/postgres-server.ts';
import { asAdministrator, createTestDatabase } from '../harness/postgres.ts';

let folder: string;
/** One that has logical slots and prepared transactions, which takes a start of its own. */
let server: PostgresServer;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-ties-'));
  // PostgreSQL runs as another user where this is root, and must get through.
  await chmod(folder, 0o711);
  const place = path.join(folder, 'postgres');
  const [ports, id] = [new PortBook(place), randomBytes(4).toString('hex')];
  const start = () => startPostgresServer({ folder: place, ports, id, password: 'secret', durable: false });
  server = await start();
  for (const setting of ['wal_level = logical', 'max_prepared_transactions = 4']) {
    await asAdministrator(`alter system set ${setting}`, server.url('postgres'));
  }
  await server.process.stop();
  server = await start();
});

afterAll(async () => {
  await server.process.stop();
  await rm(folder, { recursive: true, force: true });
});

test('a replication slot and a prepared transaction of the database are told by name', async () => {
  const database = await createTestDatabase('tied', server.url('postgres'));
  const client = await database.client();
  await client.query(`select pg_create_logical_replication_slot('to_the_lake', 'test_decoding')`);
  await client.query(
    `create table t (a int); begin; insert into t values (1); prepare transaction 'it''s half'`,
  );
  await client.end();
  const { host, port, user, password } = server;
  const maintenance = await connect(
    { host, port, user, password, database: 'postgres' },
    { applicationName: 'test' },
  );
  const check = () =>
    checkReplaceable(maintenance, { database: database.name, create: false, owner: null }).catch(
      (error: unknown) => (error instanceof ThawError ? error : expect.fail(String(error))),
    );
  const tied = await check();
  expect(tied).toMatchObject({ code: 'TargetBusy', object: database.name });
  expect(tied?.message).toContain('the replication slot to_the_lake');
  expect(tied?.message).toContain("the prepared transaction it's half");
  expect(tied?.hint).toContain("pg_drop_replication_slot('to_the_lake')");
  expect(tied?.hint).toContain("commit prepared 'it''s half'");

  await maintenance.query(`select pg_drop_replication_slot('to_the_lake')`);
  await asAdministrator(`rollback prepared 'it''s half'`, database.url);
  expect(await check()).toBeUndefined();
  await disconnect(maintenance);
  await database.drop();
});
