import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import type { DumpStep } from '../../src/contract/dump-activities.ts';
import type { DumpRequest } from '../../src/contract/dump-request.ts';
import { PortBook } from '../../src/stack/port.ts';
import { type PostgresServer, startPostgresServer } from '../../src/stack/postgres-server.ts';
import { postgresUser } from '../../src/stack/postgres-user.ts';
import { type FaultProxy, startFaultProxy } from '../fault/fault-proxy.ts';
import { until } from '../fault/until.ts';
import { describeWithPrograms, pgDump } from '../harness/client-programs.ts';
import { createTestDatabase } from '../harness/postgres.ts';
import { createDumpSite, type DumpSite } from './dump-site.ts';

const run = promisify(execFile);

let folder: string;
let server: PostgresServer;
let startServer: () => Promise<PostgresServer>;
let proxy: FaultProxy;
let site: DumpSite;
/** The live database as it was dumped. */
let content: string;
/** What happened to it since. */
let damaged: string;

describeWithPrograms('a restore of a dump in an unfriendly world', () => {
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'thaw-dump-faults-'));
    // PostgreSQL runs as another user where this is root, and must get through.
    await chmod(folder, 0o711);
    const place = path.join(folder, 'server');
    const [ports, id] = [new PortBook(place), randomBytes(4).toString('hex')];
    // Durable: what it has answered to a commit is there after a crash.
    startServer = () => startPostgresServer({ folder: place, ports, id, password: 'secret', durable: true });
    server = await startServer();
    proxy = await startFaultProxy(Number(new URL(inject('stack').s3.endpoint).port));
    const url = server.url('postgres');
    const places = {
      database: await createTestDatabase('faultydump', url),
      s3Endpoint: `http://127.0.0.1:${proxy.port}`,
    };
    site = await createDumpSite('faultydump', 'worker', places, url);
    // Each row takes its time when it is loaded.
    await site.query(`
      create function slow() returns boolean language sql as
        $$select pg_sleep(coalesce(current_setting('test.seconds', true), '0.1')::float8) is not null$$;
      create table parts (a integer check (slow()));
      insert into parts select generate_series(1, 8)`);
    content = await site.content();
    await site.put('argus_20250101_020000.sql', Buffer.from(content));
    await site.query('delete from parts where a > 5');
    damaged = await site.content();
  }, 120_000);

  beforeEach(async () => {
    for (const name of (await site.databases()).filter((name) => name !== site.live.name)) {
      await site.query(`drop database "${name}"`, 'postgres');
    }
    await site.query('delete from parts where a > 5');
  });

  afterAll(async () => {
    await site.close();
    await proxy.close();
    await server.process.stop();
    await rm(folder, { recursive: true });
  });

  async function crash(): Promise<void> {
    process.kill(server.process.pid, 'SIGQUIT');
    await server.process.ended;
    server = await startServer();
  }

  /** Starts a restore that loads for a while. */
  async function startLoading(): Promise<DumpRequest> {
    const request = site.request();
    await site.dumps.start(request);
    const loading = `select 1 from pg_stat_activity where query like 'COPY public.parts%' and wait_event = 'PgSleep'`;
    await until('it loads', async () => (await site.query(loading)).length > 0);
    return request;
  }

  /** Expects the dump to be live, the former database kept, and nothing else there. */
  async function expectSwapped(old: string | undefined): Promise<void> {
    expect(await site.databases()).toEqual([site.live.name, old]);
    expect([await site.content(), await site.content(old)]).toEqual([content, damaged]);
  }

  async function expectUntouched(): Promise<void> {
    expect(await site.databases()).toEqual([site.live.name]);
    expect(await site.content()).toBe(damaged);
  }

  test('survives a crash of PostgreSQL while it loads', { timeout: 120_000 }, async () => {
    const request = await startLoading();
    await crash();
    const outcome = await site.dumps.outcome(request.restoreId);
    expect(outcome).toMatchObject({ state: 'completed', leftBehind: [], report: { outcome: 'verified' } });
    await expectSwapped(outcome.old?.name);
  });

  test('survives a crash of PostgreSQL between closing and renaming', { timeout: 120_000 }, async () => {
    // Whoever describes a database keeps others from renaming it.
    const holder = await site.live.client();
    await holder.query('select 1');
    const admin = await site.thaw.database.client();
    await admin.query(`begin; comment on database "${site.live.name}" is 'held'`);
    const request = site.request();
    await site.dumps.start(request);
    const isClosed = () =>
      admin.query('select 1 from pg_database where datname = $1 and not datallowconn', [site.live.name]);
    await until('the door is shut', async () => (await isClosed()).rowCount === 1);
    await crash();
    const outcome = await site.dumps.outcome(request.restoreId);
    expect(outcome).toMatchObject({ state: 'completed', leftBehind: [], error: null });
    await expectSwapped(outcome.old?.name);
  });

  test('that is cancelled ends before the swap or behind it, and never between', {
    timeout: 120_000,
  }, async () => {
    const steps: readonly DumpStep[] = ['choose', 'prove', 'survey', 'load', 'verify', 'swap', 'finish'];
    for (const step of ['load', 'swap'] as const) {
      const request = site.request();
      await site.dumps.start(request);
      await until(step, async () => {
        const progress = await site.dumps.progress(request.restoreId);
        return steps.indexOf(progress.step) >= steps.indexOf(step);
      });
      await site.thaw.restores.cancel(request.restoreId, null).catch(() => 'it has ended by then');
      const outcome = await site.dumps.outcome(request.restoreId);
      expect(outcome.leftBehind).toEqual([]);
      if (outcome.state === 'completed') {
        await expectSwapped(outcome.old?.name);
        await site.query(`drop database "${outcome.old?.name}"`, 'postgres');
        await site.query('delete from parts where a > 5');
      } else {
        expect(outcome.state).toBe('cancelled');
        await expectUntouched();
      }
    }
  });

  test('of a dump that is replaced after it was proved is refused', async () => {
    // So slow that it is not over before the pause has reached it.
    await site.query('alter role current_user set test.seconds = 5', 'postgres');
    const request = await startLoading();
    await site.thaw.restores.pause(request.restoreId, 'wait', true);
    await until('paused', async () => (await site.dumps.progress(request.restoreId)).state === 'paused');
    await site.query('alter role current_user reset test.seconds', 'postgres');
    await site.put('argus_20250101_020000.sql', Buffer.from(content.slice(0, -100)));
    await site.thaw.restores.resume(request.restoreId);
    expect(await site.dumps.outcome(request.restoreId)).toMatchObject({
      ...{ state: 'failed', error: { code: 'ArchiveChanged' }, leftBehind: [] },
    });
    await expectUntouched();
    await site.put('argus_20250101_020000.sql', Buffer.from(content));
  });

  test('whose stream from S3 breaks off again and again goes on where it was', async () => {
    const service = site.thaw.database.name;
    await site.query('create table noise (b bytea)');
    await site.query(
      `insert into noise select decode(repeat(md5(i::text), 500), 'hex') from generate_series(1, 60) i`,
    );
    await site.query(`alter table noise alter b set storage external`);
    const noise = await site.content();
    const key = `archives/dumps/${service}-2025-12-12T08-42-31-456Z.tar.gz`;
    await site.thaw.bucket.put(key, gzipSync(await pgDump(site.live, '--format=tar'), { level: 0 }));
    await site.query('drop table noise');
    let cuts = 0;
    proxy.interfere({
      answer: (bytes, { answered }) => {
        if (cuts >= 10 || answered < 200_000 || bytes.length === 0) return 'pass';
        cuts += 1;
        return 'cut';
      },
    });
    const into = `${site.live.name}_stream`;
    const outcome = await site.restore({ service, into, create: true });
    proxy.interfere({});
    expect(cuts).toBeGreaterThan(3);
    expect(outcome).toMatchObject({ state: 'completed', report: { outcome: 'verified' }, leftBehind: [] });
    expect(await site.content(into)).toBe(noise);
  });

  test('into what a subscription feeds is refused before anything is made', async () => {
    await site.query(
      `create subscription "sub 1" connection 'dbname=nowhere' publication p with (connect = false)`,
    );
    try {
      expect(await site.restore()).toMatchObject({
        ...{ state: 'failed', leftBehind: [], old: null },
        error: { code: 'TargetBusy', message: expect.stringContaining('subscription sub 1') },
      });
    } finally {
      await site.query(`alter subscription "sub 1" set (slot_name = none); drop subscription "sub 1"`);
    }
    await expectUntouched();
  });

  test('onto a disk that is full leaves the live database as it was', async (context) => {
    const disk = path.join(folder, 'disk');
    await mkdir(disk);
    try {
      await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
    } catch {
      return context.skip('this user may not mount a small disk');
    }
    try {
      const space = path.join(disk, 'space');
      await mkdir(space, { mode: 0o700 });
      await chmod(disk, 0o711);
      const user = postgresUser();
      if (user !== null) await chown(space, user.uid, user.gid);
      await site.query(`create tablespace small location '${space}'`, 'postgres');
      const small = `${site.live.name}_small`;
      await site.query(`create database "${small}" tablespace small`, 'postgres');
      await site.query('create table mine as select 42 as answer', small);
      const before = await site.content(small);
      await site.query(
        `create table large as select i, repeat('x', 1000) as x from generate_series(1, 20000) i`,
      );
      await site.put('large.dump', await pgDump(site.live, '--format=custom', '--table=large'));
      await site.query('drop table large');
      const outcome = await site.restore({ into: small, choice: { kind: 'key', key: 'large.dump' } });
      expect(outcome).toMatchObject({
        ...{ state: 'failed', leftBehind: [], old: null },
        error: { code: 'DumpRejected', hint: expect.stringContaining('The disk of the database is full.') },
      });
      expect(await site.databases()).toEqual([site.live.name, small]);
      expect(await site.content(small)).toBe(before);
      await site.query(`drop database "${small}"`, 'postgres');
      await site.query('drop tablespace small', 'postgres');
    } finally {
      await run('umount', [disk]);
    }
  });
});
