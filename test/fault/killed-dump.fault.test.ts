import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { DumpRequest } from '../../src/contract/dump-request.ts';
import { createDumpSite, type DumpSite } from '../dump/dump-site.ts';
import { describeWithPrograms } from '../harness/client-programs.ts';
import { until } from './until.ts';
import { WorkerProcess } from './worker-process.ts';

let site: DumpSite;
let folder: string;
let content: string;
let worker: WorkerProcess;

describeWithPrograms('a worker that is killed while it restores a dump', () => {
  beforeAll(async () => {
    site = await createDumpSite('killeddump', 'no worker');
    folder = await mkdtemp(path.join(tmpdir(), 'thaw-killed-dump-'));
    // Each row takes its time when it is loaded, and none when it is verified.
    await site.query(`
      create function slow() returns boolean language sql as 'select true';
      create table parts (a integer check (slow()));
      insert into parts select generate_series(1, 6);
      create or replace function slow() returns boolean language sql as 'select pg_sleep(0.4) is not null'`);
    content = await site.content();
    await site.put('argus_20250101_020000.sql', Buffer.from(content));
    worker = await WorkerProcess.start(site.thaw, folder);
  }, 120_000);

  beforeEach(() => site.query('delete from parts where a > 4'));

  afterAll(async () => {
    await worker.kill();
    await site.close();
    await rm(folder, { recursive: true });
  });

  /** Starts a restore, has its worker killed at a moment, and ends it with another worker. */
  async function restoreWithKill(
    moment: (request: DumpRequest) => Promise<unknown>,
    afterwards: () => Promise<void> = async () => {},
  ): Promise<void> {
    const request = { ...site.request(), heartbeatSeconds: 2 };
    await site.dumps.start(request);
    try {
      await moment(request);
    } finally {
      await worker.kill();
      await afterwards();
    }
    worker = await WorkerProcess.start(site.thaw, folder);
    const outcome = await site.dumps.outcome(request.restoreId);
    expect(outcome).toMatchObject({
      ...{ state: 'completed', error: null, leftBehind: [], report: { outcome: 'verified' } },
    });
    const old = outcome.old?.name ?? '';
    expect(await site.databases()).toEqual([site.live.name, old]);
    expect(await site.content()).toBe(content);
    expect(await site.query('select count(*)::int as rows from parts', old)).toEqual([{ rows: 4 }]);
    await site.query(`drop database "${old}"`, 'postgres');
  }

  test('during the load leaves one database, whole', { timeout: 180_000 }, async () => {
    await restoreWithKill(({ restoreId }) =>
      until(
        'it loads',
        async () => {
          const { step } = await site.dumps.progress(restoreId);
          return step === 'load' && (await site.databases()).length === 2;
        },
        60_000,
      ),
    );
  });

  test('before databases are renamed leaves the live one open, and goes on', {
    timeout: 180_000,
  }, async () => {
    // Whoever describes a database keeps others from renaming it.
    const admin = await site.thaw.database.client();
    await admin.query(`begin; comment on database "${site.live.name}" is 'held'`);
    const isClosed = () =>
      admin.query('select 1 from pg_database where datname = $1 and not datallowconn', [site.live.name]);
    await restoreWithKill(
      () => until('the door is shut', async () => (await isClosed()).rowCount === 1, 60_000),
      () => admin.end(),
    );
  });

  test('after databases were renamed does it once', { timeout: 180_000 }, async () => {
    await restoreWithKill(() =>
      until(
        'they are renamed',
        async () => (await site.databases()).some((name) => name.includes('__old_')),
        60_000,
      ),
    );
  });
});
