import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DumpClient } from '../../src/client/dump-client.ts';
import { serviceFingerprint } from '../../src/config/fingerprint.ts';
import { wholeDump } from '../../src/contract/dump-request.ts';
import { quoteIdentifier } from '../../src/postgres/identifier.ts';
import { thawHere } from '../cli/thaw-here.ts';
import { until } from '../fault/until.ts';
import { describeWithPrograms, pgDump } from '../harness/client-programs.ts';
import { createTestThaw } from '../harness/thaw.ts';
import { createDumpSite, type DumpSite } from './dump-site.ts';
import { zooSql } from './zoo.ts';

let site: DumpSite;
/** The live database as it was dumped. */
let content: string;
/** What happened to it since. */
let damaged: string;

/** What pg_dumpall writes of a server without anything. */
const clusterDump = Buffer.from(
  '--\n-- PostgreSQL database cluster dump\n--\n\nSET default_transaction_read_only = off;\n\n' +
    '--\n-- PostgreSQL database cluster dump complete\n--\n\n',
);

describeWithPrograms('a restore of a dump', () => {
  beforeAll(async () => {
    site = await createDumpSite('flow');
    await site.query(zooSql);
    content = await site.content();
    await site.put('argus_20250101_020000.sql.gz', gzipSync(await pgDump(site.live, '--no-owner', '-x')));
    await site.put('tar.tar.gz', gzipSync(await pgDump(site.live, '--format=tar')));
    await site.put('custom.dump', await pgDump(site.live, '--format=custom'));
  }, 120_000);

  beforeEach(async () => {
    await site.query(`
      drop table if exists shop.carts;
      delete from shop.orders;
      create table if not exists public.junk (a integer)`);
    damaged = await site.content();
  });

  afterAll(() => site.close());

  test('takes the place of the live database by a dump of its folder, and keeps that one', async () => {
    const outcome = await site.restore();
    expect(outcome).toMatchObject({
      ...{ state: 'completed', mode: 'swap', error: null, leftBehind: [], passedOver: [] },
      dump: { key: 'argus_20250101_020000.sql.gz', takenAt: expect.any(String) },
      proof: { format: 'plain', compression: 'gzip' },
      report: { outcome: 'verified' },
    });
    expect(await site.content()).toBe(content);
    const old = outcome.old?.name ?? '';
    expect(await site.databases()).toEqual([site.live.name, old]);
    expect(await site.content(old)).toBe(damaged);
    const rows = (outcome.report?.tables ?? []).find(({ table }) => table === 'shop.orders');
    expect(rows).toMatchObject({ before: 0, dump: 15, after: 15 });
    await site.query(`drop database "${old}"`, 'postgres');
    const { host, port, user, password } = site.live;
    const env = { ARGUS_DB_HOST: host, ARGUS_DB_PORT: `${port}`, ARGUS_DB_USER: user };
    const service = { ...env, ARGUS_DB_PASSWORD: password, BACKUP_DIR: site.folder };
    expect(JSON.parse((await thawHere(['dumps', 'argus', '--json'], service)).stdout)).toMatchObject({
      dumps: [{ key: outcome.dump?.key, verifiedAt: expect.any(String), provedAt: expect.any(String) }],
    });
  });

  test('of a tar.gz in S3 goes into a database of its own, with quotes in its name, for another owner', async () => {
    const { thaw } = site;
    const service = thaw.database.name;
    const key = `archives/dumps/${service}-2025-12-12T08-42-31-456Z.tar.gz`;
    await thaw.bucket.put(key, gzipSync(await pgDump(site.live, '--format=tar', '--no-owner', '-x')));
    const into = `${site.live.name} "ü" look`;
    const role = `owner_${randomBytes(4).toString('hex')}`;
    await site.query(`create role ${role} superuser`, 'postgres');
    const asked = { service, into, owner: role };
    expect(await site.restore(asked)).toMatchObject({
      state: 'failed',
      error: { code: 'TargetMissing', message: `There is no database ${into}.` },
    });
    expect(await site.restore({ ...asked, create: true })).toMatchObject({
      ...{ state: 'completed', database: into, old: null, dump: { key } },
      proof: { format: 'tar', compression: 'gzip' },
      report: { outcome: 'verified', before: null },
    });
    expect((await site.content(into)).replaceAll(role, 'postgres')).toBe(damaged);
    const owners = 'select distinct tableowner from pg_tables where schemaname = $$shop$$';
    expect(await site.query(owners, into)).toEqual([{ tableowner: role }]);
    await site.query(`drop database ${quoteIdentifier(into)}`, 'postgres');
    await site.query(`drop role ${role}`, 'postgres');
    expect(await site.databases()).toEqual([site.live.name]);
  });

  test('never replaces the database in which the API keeps its runs', async () => {
    await site.query('create schema thaw_api; create table thaw_api.restore_runs (id text)');
    expect(await site.restore()).toMatchObject({
      ...{ state: 'failed', leftBehind: [] },
      error: { code: 'InputInvalid', message: expect.stringContaining('holds schema thaw_api') },
    });
    await site.query('drop schema thaw_api cascade');
    expect(await site.content()).toBe(damaged);
    expect(await site.databases()).toEqual([site.live.name]);
  });

  test('in place drops the live database first; one that fails then says that it is gone', async () => {
    const missing = { kind: 'key', key: 'missing.dump' } as const;
    expect(await site.restore({ choice: missing, mode: 'recreate' })).toMatchObject({
      ...{ state: 'failed', notices: [`${site.live.name} is as it was.`] },
    });
    const choice = { kind: 'key', key: 'custom.dump' } as const;
    const outcome = await site.restore({ choice, mode: 'recreate' });
    expect(outcome).toMatchObject({ state: 'completed', old: null, leftBehind: [] });
    expect(await site.content()).toBe(content);
    expect(await site.databases()).toEqual([site.live.name]);

    const checks = ['select count(*) = 16 from shop.orders'];
    const failed = await site.restore({ choice, mode: 'recreate', checks });
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'VerificationFailed' } });
    expect(failed.notices).toContainEqual(
      expect.stringContaining(`${site.live.name} was dropped before the load, as asked for.`),
    );
    expect(await site.databases()).toEqual(failed.leftBehind);
    // What was loaded may be all that is left.
    const [fresh] = failed.leftBehind;
    await site.query(`alter database "${fresh}" rename to "${site.live.name}"`, 'postgres');
    expect(await site.content()).toBe(content);
  });

  test('of a part goes into the database that is there, and never in place of it', async () => {
    const choice = { kind: 'key', key: 'tar.tar.gz' } as const;
    const part = { ...wholeDump, tables: ['shop.animals', 'shop.orders'], dataOnly: true };
    const outcome = await site.restore({ choice, part });
    expect(outcome).toMatchObject({ state: 'completed', mode: 'into-existing', old: null, error: null });
    expect(await site.query('select count(*)::int as rows from shop.orders')).toEqual([{ rows: 15 }]);
    expect(await site.query("select to_regclass('shop.carts') as carts")).toEqual([{ carts: null }]);
    const animals = await site.query('select * from only shop.animals');
    // The same again breaks the key of one of them, and all of it is taken back.
    const again = await site.restore({ choice, part });
    expect(again).toMatchObject({ state: 'failed', error: { code: 'DumpRejected' }, leftBehind: [] });
    expect(again.notices).toContain(`${site.live.name} is as it was.`);
    expect(await site.query('select * from only shop.animals')).toEqual(animals);
    expect(await site.query('select count(*)::int as rows from shop.orders')).toEqual([{ rows: 15 }]);
    // All of it, into one that is made for it.
    const into = `${site.live.name}_made`;
    const whole = await site.restore({ choice, into, mode: 'into-existing', create: true });
    expect(whole).toMatchObject({ state: 'completed', database: into, report: { outcome: 'verified' } });
    expect(await site.content(into)).toBe(content);
    await site.query(`drop database "${into}"`, 'postgres');
    expect(() => site.request({ choice, part, mode: 'swap' })).toThrow(
      'A part of a dump never replaces a database, and mode swap would have it do so.',
    );
  });

  test('of a dump made with --clean replaces the rows that are there, and is found to be what it says', async () => {
    await site.query('insert into public.junk values (1)');
    await site.put('clean.sql.gz', gzipSync(await pgDump(site.live, '--clean', '--table=junk')));
    const choice = { kind: 'key', key: 'clean.sql.gz' } as const;
    const before = await site.content();
    const outcome = await site.restore({ choice, mode: 'into-existing' });
    expect(outcome).toMatchObject({ state: 'completed', error: null, report: { outcome: 'verified' } });
    expect(await site.content()).toBe(before);
  });

  test('by a user who may not even read what others keep of theirs goes on without, and says so', async () => {
    const role = `poor_${randomBytes(4).toString('hex')}`;
    const { host, port, folder } = { ...site.live, folder: site.folder };
    await site.query(`create role ${role} login createdb password 'p'`, 'postgres');
    await site.query(`create database ${role} owner ${role}`, 'postgres');
    const poor = { name: role, host, port, user: role, password: 'p', database: role, dumps: { folder } };
    const { PATH } = process.env;
    const url = new URL(site.live.url);
    url.pathname = role;
    const thaw = await createTestThaw('poor', 'worker', { services: [poor], env: { PATH } });
    try {
      // Whoever came first has made the schema, and shares nothing of it.
      await site.restore({ choice: { kind: 'key', key: 'nothing' } });
      await site.query(`create table own as select 1 as a; alter table own owner to ${role}`, role);
      await site.put(`${role}.dump`, await pgDump({ ...site.live, url: url.href }, '--format=custom'));
      const asked = site.request({ choice: { kind: 'key', key: `${role}.dump` }, keepOldSeconds: 0 });
      const [service] = thaw.config.services.filter(({ name }) => name === role);
      if (service === undefined) throw new Error('no service');
      const own = { service: role, database: role, fingerprint: serviceFingerprint(service) };
      const dumps = new DumpClient(thaw.client, thaw.temporal.taskQueue);
      await dumps.start({ ...asked, ...own });
      expect(await dumps.outcome(asked.restoreId)).toMatchObject({
        ...{ state: 'completed', error: null, report: { outcome: 'verified' } },
        notices: [expect.stringContaining('Nothing is kept of this restore')],
      });
    } finally {
      await thaw.close();
      await site.query(`drop database ${role} with (force)`, 'postgres');
      await site.query(`drop role ${role}`, 'postgres');
    }
  });

  test('that is not what its dump says, or not good, leaves everything as it was', async () => {
    const checks = ['select count(*) = 15 from shop.orders', 'select false'];
    const failed = await site.restore({ checks });
    expect(failed).toMatchObject({
      ...{ state: 'failed', old: null, leftBehind: [] },
      report: { outcome: 'failed' },
      error: { code: 'VerificationFailed', message: expect.stringContaining('check 2') },
    });
    await site.put('all.sql', clusterDump);
    expect(await site.restore({ choice: { kind: 'key', key: 'all.sql' } })).toMatchObject({
      state: 'failed',
      error: { code: 'InputInvalid', message: expect.stringContaining('which make no single database') },
    });
    const whole = gzipSync(await pgDump(site.live));
    await site.put('argus_20250102_020000.sql.gz', whole.subarray(0, whole.length - 20));
    const cut = await site.restore();
    expect(cut).toMatchObject({
      state: 'failed',
      error: {
        code: 'ArchiveCorrupt',
        hint: expect.stringContaining('argus_20250101_020000.sql.gz'),
      },
    });
    expect(
      await site.query(
        `select key, fault from thaw.dump_proofs where fault is not null and place = 'file://${site.folder}'`,
        'postgres',
      ),
    ).toEqual([{ key: 'argus_20250102_020000.sql.gz', fault: 'ArchiveCorrupt' }]);
    expect(await site.content()).toBe(damaged);
    expect(await site.databases()).toEqual([site.live.name]);

    const outcome = await site.restore({ fallback: 1, keepOldSeconds: 0 });
    expect(outcome).toMatchObject({
      ...{ state: 'completed', dump: { key: 'argus_20250101_020000.sql.gz' } },
      passedOver: [{ key: 'argus_20250102_020000.sql.gz' }],
    });
    expect(await site.content()).toBe(content);
  });

  test('keeps others out while it loads, is paused and goes on, and leaves nothing behind when it is cancelled', async () => {
    // Each row takes its time when it is loaded, which no attempt here gets through.
    const database = `${site.live.name}_slow`;
    await site.query(`create database "${database}"`, 'postgres');
    const slow = `create function slow() returns boolean language sql as 'select true';
      create table waits (a integer check (slow()));
      insert into waits select generate_series(1, 300);
      create or replace function slow() returns boolean language sql as 'select pg_sleep(0.2) is not null'`;
    await site.query(slow, database);
    await site.put('argus_20250103_020000.sql', Buffer.from(await site.content(database)));
    await site.query(`drop database "${database}"`, 'postgres');

    const request = site.request();
    await site.dumps.start(request);
    await until('loading', async () => {
      const { step, bytes } = await site.dumps.progress(request.restoreId);
      return step === 'load' && bytes.done > 0;
    });
    expect(await site.databases()).toHaveLength(2);
    expect(await site.restore()).toMatchObject({
      state: 'failed',
      error: { code: 'TargetBusy', message: expect.stringContaining(`Restore ${request.restoreId} holds`) },
    });
    await site.thaw.restores.pause(request.restoreId, 'wait', true);
    await until('paused', async () => (await site.dumps.progress(request.restoreId)).state === 'paused');
    await site.thaw.restores.resume(request.restoreId);
    await until('loading again', async () => {
      const { step, state } = await site.dumps.progress(request.restoreId);
      return step === 'load' && state === 'running' && (await site.databases()).length === 2;
    });
    await site.thaw.restores.cancel(request.restoreId, null);
    expect(await site.dumps.outcome(request.restoreId)).toMatchObject({ state: 'cancelled', leftBehind: [] });
    expect(await site.databases()).toEqual([site.live.name]);
    expect(await site.content()).toBe(damaged);
  });
});
