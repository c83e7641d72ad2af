import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { BackupClient, toBackupRequest } from '../../../src/client/backup-client.ts';
import { findService } from '../../../src/config/services.ts';
import type { ServiceConfig } from '../../../src/config/thaw-config.ts';
import type { BackupFormat, BackupOutcome } from '../../../src/contract/backup-request.ts';
import type { DumpRef } from '../../../src/contract/dump-request.ts';
import { backUp } from '../../../src/dump/backup/back-up.ts';
import type { DumpManifest } from '../../../src/dump/backup/manifest.ts';
import { chooseDump } from '../../../src/dump/choose/choose-dump.ts';
import { proveDump } from '../../../src/dump/format/prove.ts';
import type { ObjectStore } from '../../../src/store/object-store.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { clientPrograms, describeWithPrograms, pgDump } from '../../harness/client-programs.ts';
import { createDumpSite, type DumpSite } from '../dump-site.ts';
import { zooSql } from '../zoo.ts';

const signal = new AbortController().signal;

let site: DumpSite;
/** The one whose dumps lie in S3. */
let service: ServiceConfig;
let store: ObjectStore;
let spool: string;
let made: BackupOutcome;

describeWithPrograms('a backup', () => {
  beforeAll(async () => {
    site = await createDumpSite('backup');
    service = findService(site.thaw.config, site.thaw.database.name);
    store = openStore(site.thaw.config.store, {});
    spool = await mkdtemp(path.join(inject('stack').folder, 'spool-'));
    await site.query(zooSql, service.connection.name);
    const backups = new BackupClient(site.thaw.client, site.thaw.temporal.taskQueue);
    made = await backups.make(toBackupRequest(service, { format: 'tar', options: [] }, 5));
  }, 120_000);

  afterAll(async () => {
    store?.close();
    await rm(spool, { recursive: true });
    await site.close();
  });

  test('is a dump under the name of the S3 tool, with a manifest of its bytes and rows beside it', async () => {
    const pattern = new RegExp(
      `^archives/dumps/${service.name}-\\d{4}-\\d\\d-\\d\\dT\\d\\d-\\d\\d-\\d\\d-\\d{3}Z\\.tar\\.gz$`,
    );
    expect(made.key).toMatch(pattern);
    expect(await site.thaw.bucket.keys('archives/dumps/')).toEqual([made.key, `${made.key}.manifest.json`]);
    const bytes = await site.thaw.bucket.get(made.key);
    const manifest = await manifestOf(made.key);
    expect(manifest).toMatchObject({
      ...{ key: made.key, bytes: bytes.length, format: 'tar', compression: 'gzip' },
      sha256: createHash('sha256').update(bytes).digest('hex'),
      database: service.connection.name,
      server_version: expect.stringMatching(/^15\./),
      pg_dump_version: clientPrograms().version,
    });
    const { key, tables: _, rows: __, ...rest } = manifest;
    expect(new Date(rest.taken_at).toISOString().replaceAll(/[:.]/g, '-')).toBe(key.slice(-31, -7));
    const counted = await site.query(
      manifest.tables
        .map(({ table }) => `select '${table}' as table, count(*)::int as rows from only ${table}`)
        .join(' union all '),
      service.connection.name,
    );
    expect(manifest.tables).toHaveLength(made.tables);
    expect(manifest.tables).toContainEqual({ table: 'shop.orders', rows: 15 });
    expect(byTable(manifest.tables)).toEqual(byTable(counted));
    expect(made).toMatchObject({
      bytes: bytes.length,
      sha256: manifest.sha256,
      rows: manifest.rows,
      warnings: [],
    });
  });

  test('is what a restore of the latest dump takes, with all that was in the database', async () => {
    const into = `${site.live.name}_copy`;
    const outcome = await site.restore({ service: service.name, into, create: true, keepOldSeconds: 0 });
    expect(outcome).toMatchObject({
      ...{ state: 'completed', dump: { key: made.key }, notices: [] },
      report: { outcome: 'verified' },
    });
    expect(await site.content(into)).toBe(await site.content(service.connection.name));
  });

  test.each<[BackupFormat, readonly string[]]>([
    ['custom', ['--compress=1', '--no-owner']],
    ['plain', ['--inserts', '--exclude-table-data=shop.orders']],
  ])('in format %s has a manifest of its rows, too', async (format, options) => {
    const outcome = await backUpHere({ PATH: process.env.PATH }, format, options);
    const { tables, format: written } = await manifestOf(outcome.key);
    expect(written).toBe(format);
    const orders = tables.find(({ table }) => table === 'shop.orders');
    expect(orders?.rows ?? 0).toBe(format === 'plain' ? 0 : 15);
    const dump = await refOf(outcome.key);
    const { proof } = await proveDump(store, dump, {
      env: { PATH: process.env.PATH, THAW_SPOOL_DIR: spool },
      signal,
    });
    expect(proof).toMatchObject({ format, rows: outcome.rows, notices: [] });
    await removeDump(outcome.key);
  });

  test('that pg_dump did not end well leaves nothing in the store and nothing on the disk', async () => {
    const before = await site.thaw.bucket.keys();
    const bins = path.join(spool, '..', `bins-${process.pid}`);
    await mkdir(bins);
    const { psql, pgRestore, pgDump: program } = clientPrograms();
    await symlink(psql, path.join(bins, 'psql'));
    await symlink(pgRestore, path.join(bins, 'pg_restore'));
    const run = async (script: string, options: readonly string[] = []) => {
      await writeFile(path.join(bins, 'pg_dump'), `#!/bin/sh\n${script}\n`);
      await chmod(path.join(bins, 'pg_dump'), 0o755);
      return backUpHere({ PG_BIN: bins, PATH: process.env.PATH }, 'tar', options);
    };
    // Random bytes cannot be compressed: several parts of an upload are on their way.
    await expect(run('head -c 30000000 /dev/urandom; kill -9 $$')).rejects.toMatchObject({
      code: 'DatabaseUnavailable',
      message: 'pg_dump was ended by SIGKILL before it was done',
    });
    await expect(run(`${program} "$@" | head -c 20000; kill -9 $$`)).rejects.toMatchObject({
      code: 'DatabaseUnavailable',
    });
    await expect(
      run(
        `${program} "$@"; echo 'pg_dump: error: query failed: ERROR:  permission denied for table t' >&2; exit 1`,
      ),
    ).rejects.toMatchObject({
      code: 'PermissionDenied',
      message: expect.stringContaining('permission denied for table t'),
    });
    await expect(run(`exec ${program} "$@"`, ['--table=nothing', '--strict-names'])).rejects.toMatchObject({
      code: 'ConfigInvalid',
      message: expect.stringContaining('no matching tables were found'),
    });
    expect(await site.thaw.bucket.keys()).toEqual(before);
    const { Uploads = [] } = await site.thaw.bucket.client.send(
      new ListMultipartUploadsCommand({ Bucket: site.thaw.bucket.bucket }),
    );
    expect(Uploads).toEqual([]);
    expect(await readdir(spool)).toEqual([]);
    await rm(bins, { recursive: true });
  });

  test('that is not what its manifest says is not good', async () => {
    const place = `${made.key}.manifest.json`;
    const manifest = await manifestOf(made.key);
    const prove = async () => {
      const env = { PATH: process.env.PATH, THAW_SPOOL_DIR: spool };
      return (await proveDump(store, await refOf(made.key), { env, signal })).proof;
    };
    expect((await prove()).rows).toBe(manifest.rows);

    const tables = manifest.tables.map((one) => (one.table === 'shop.orders' ? { ...one, rows: 16 } : one));
    await site.thaw.bucket.put(place, JSON.stringify({ ...manifest, tables }));
    await expect(prove()).rejects.toMatchObject({
      code: 'CountMismatch',
      message: `${made.key}: shop.orders has 15 rows, and 16 rows by its manifest`,
    });
    await site.thaw.bucket.put(place, 'shop.orders=16');
    expect((await prove()).notices).toEqual([
      `${place}: is no manifest of a dump: the dump was not compared with it.`,
    ]);

    await site.thaw.bucket.put(place, JSON.stringify(manifest));
    const dump = await site.thaw.bucket.get(made.key);
    await site.thaw.bucket.put(made.key, gzipSync(await pgDump(site.live, '--format=tar')));
    await expect(prove()).rejects.toMatchObject({ code: 'ChecksumMismatch' });
    await site.thaw.bucket.put(made.key, dump);
    expect((await prove()).rows).toBe(manifest.rows);
  });
});

function backUpHere(
  env: NodeJS.ProcessEnv,
  format: BackupFormat,
  options: readonly string[],
): Promise<BackupOutcome> {
  const request = { format, options };
  return backUp({
    ...{ request, service, store, prefix: 'archives/dumps', env: { ...env, THAW_SPOOL_DIR: spool }, signal },
  });
}

async function manifestOf(key: string): Promise<DumpManifest> {
  return JSON.parse(Buffer.from(await site.thaw.bucket.get(`${key}.manifest.json`)).toString());
}

async function refOf(key: string): Promise<DumpRef> {
  const { candidates } = await chooseDump(store, service, { kind: 'key', key }, 0, signal);
  return candidates[0] as DumpRef;
}

async function removeDump(key: string): Promise<void> {
  await store.remove(key);
  await store.remove(`${key}.manifest.json`);
}

function byTable(rows: readonly object[]): readonly object[] {
  return rows.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
}
