import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PortBook } from '../../src/stack/port.ts';
import { type PostgresServer, startPostgresServer } from '../../src/stack/postgres-server.ts';
import { startTemporalServer, type TemporalServer } from '../../src/stack/temporal-server.ts';
import { obtainTool } from '../../src/stack/tool.ts';
import { createTestDatabase } from '../harness/postgres.ts';
import { createTestThaw } from '../harness/thaw.ts';
import { ArchivedTable } from './archived-table.ts';
import { expectSoundHistories } from './histories.ts';
import { until } from './until.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-restarted-'));
  // PostgreSQL runs as another user where this is root, and must get through.
  await chmod(folder, 0o711);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const shape = { archives: 60, rows: 200, repeated: 20 };
const options = { packBytes: 8_000, heartbeatSeconds: 2 };

test('PostgreSQL that is stopped, and that crashes, during a load', { timeout: 120_000 }, async () => {
  const place = path.join(folder, 'own-postgres');
  const ports = new PortBook(place);
  const id = randomBytes(4).toString('hex');
  // Durable: what it has answered to a commit is there after a crash.
  const start = () => startPostgresServer({ folder: place, ports, id, password: 'secret', durable: true });
  let server: PostgresServer = await start();
  try {
    const database = await createTestDatabase('restarted', server.url('postgres'));
    const thaw = await createTestThaw('restarted', 'worker', { database });
    try {
      const table = await ArchivedTable.create(thaw, { table: 'restarted', ...shape });
      const request = thaw.request(['restarted'], { ...options, dropIndexes: 'always' });
      await thaw.restores.start(request);
      for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
        await until('some archives are restored', () => restoredSome(database.client, request.restoreId));
        process.kill(server.process.pid, signal);
        await server.process.ended;
        server = await start();
      }

      const outcome = await thaw.restores.outcome(request.restoreId);

      expect(outcome).toMatchObject({ state: 'completed', tally: { archives: { restored: 60, failed: 0 } } });
      const after = table.on(await database.client());
      await after.expectRestored('skip');
      await after.expectLedger(request.restoreId);
      await after.expectIndexed();
      await expectSoundHistories(thaw.client, request.restoreId);
    } finally {
      await thaw.close();
    }
  } finally {
    await server.process.stop();
  }
});

test('a Temporal server that is killed and started again', { timeout: 120_000 }, async () => {
  const place = path.join(folder, 'own-temporal');
  const ports = new PortBook(place);
  const executable = await obtainTool('temporal', { log: () => {} });
  const start = () => startTemporalServer({ executable, folder: place, ports, persistent: true, ui: false });
  let server: TemporalServer = await start();
  try {
    const temporal = { address: server.address, namespace: 'default', taskQueue: 'restarted' };
    const thaw = await createTestThaw('temporal', 'worker', { temporal });
    try {
      const table = await ArchivedTable.create(thaw, { table: 'forgotten', ...shape });
      const request = thaw.request(['forgotten'], options);
      await thaw.restores.start(request);
      for (let kill = 0; kill < 2; kill++) {
        await until('some archives are restored', () =>
          restoredSome(thaw.database.client, request.restoreId),
        );
        process.kill(-server.process.pid, 'SIGKILL');
        await server.process.ended;
        server = await start();
      }

      const outcome = await thaw.restores.outcome(request.restoreId);

      expect(outcome).toMatchObject({ state: 'completed', tally: { archives: { restored: 60, failed: 0 } } });
      await table.expectRestored('skip');
      await table.expectLedger(request.restoreId);
      await expectSoundHistories(thaw.client, request.restoreId);
    } finally {
      await thaw.close();
    }
  } finally {
    await server.process.stop();
  }
});

/** Archives that were restored when it was last asked, by restore. */
const known = new Map<string, number>();

/** Whether more archives are restored than when it last said so. */
async function restoredSome(
  connect: () => Promise<import('pg').Client>,
  restoreId: string,
): Promise<boolean> {
  const client = await connect();
  try {
    const { rows } = await client.query<{ count: number }>(
      `select count(*)::int as count from thaw.archives where restore_id = $1 and state = 'restored'`,
      [restoreId],
    );
    const count = rows[0]?.count ?? 0;
    if (count <= (known.get(restoreId) ?? 0)) return false;
    known.set(restoreId, count);
    return true;
  } catch {
    // The ledger is not made yet.
    return false;
  } finally {
    await client.end();
  }
}
