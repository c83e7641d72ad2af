import { access, cp, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PitrClient } from '../../../src/client/pitr-client.ts';
import { type PitrInput, toPitrRequest } from '../../../src/client/pitr-input.ts';
import { newRestoreId } from '../../../src/client/restore-id.ts';
import type { PitrOutcome, PitrRequest } from '../../../src/contract/pitr.ts';
import { WorkerProcess } from '../../fault/worker-process.ts';
import { describeWithServer } from '../../harness/server-programs.ts';
import { createTestThaw, type TestThaw } from '../../harness/thaw.ts';
import { type ArchivedCluster, createArchivedCluster } from './archived-cluster.ts';

let cluster: ArchivedCluster;
let thaw: TestThaw;
let recoveries: PitrClient;
/** A plain base backup, and one in compressed tars. */
let base: string;
let tars: string;
/** Before the first backup, between the second and the third row, and after the last one. */
let before: string;
let moment: string;
let after: string;
/** The transaction of the last row. */
let xid: string;

const at = (name: string) => path.join(cluster.folder, name);
const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

function requestOf(rest: Partial<PitrInput>): PitrRequest {
  const input: PitrInput = {
    ...{ base, wal: cluster.wal, target: { kind: 'latest' }, isExclusive: false, timeline: 'latest' },
    ...{ into: at('recovered'), port: null, user: 'postgres', database: 'postgres', checks: [] },
    ...{ keepRunning: false, ...rest },
  };
  return toPitrRequest(input, thaw.config, newRestoreId(), 5);
}

async function recover(rest: Partial<PitrInput>): Promise<PitrOutcome> {
  const request = requestOf(rest);
  await recoveries.start(request);
  return recoveries.outcome(request.restoreId);
}

async function now(): Promise<string> {
  const { rows } = await cluster.client.query<{ now: string }>(
    `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as now`,
  );
  return rows[0]?.now ?? '';
}

/** A statement that is true where the table holds these rows and no other. */
const holds = (...notes: readonly string[]) =>
  `select array_agg(note order by id) = array[${notes.map((note) => `'${note}'`).join(', ')}] from events`;

/** Waits until a recovery is in one of its steps, or behind. */
async function whenIn(restoreId: string, steps: readonly string[]): Promise<void> {
  await expect
    .poll(async () => (await recoveries.progress(restoreId)).pitrStep, { timeout: 30_000, interval: 50 })
    .toSatisfy((step: string) => steps.includes(step));
}

describeWithServer('point in time recovery', () => {
  beforeAll(async () => {
    cluster = await createArchivedCluster();
    thaw = await createTestThaw('pitr', 'worker', { env: { PATH: process.env.PATH } });
    recoveries = new PitrClient(thaw.client, thaw.temporal.taskQueue);
    const { client } = cluster;
    await client.query('create table events (id integer primary key, note text)');
    await client.query(`create tablespace "elsewhere" location '${await cluster.own('space')}'`);
    await client.query('create table far (id integer) tablespace "elsewhere"');
    await client.query(`insert into events values (1, 'in the backup'); insert into far values (7)`);
    before = await now();
    tars = await cluster.backUp('tars', '--format=tar', '--gzip');
    await client.query('drop table far');
    await client.query('drop tablespace "elsewhere"');
    base = await cluster.backUp('base');
    // A backup tells its beginning in whole seconds.
    await client.query(
      `select pg_sleep_until(date_trunc('second', clock_timestamp()) + interval '1 second')`,
    );
    await client.query(`insert into events values (2, 'before')`);
    moment = await now();
    await client.query(`select pg_create_restore_point('between both')`);
    const { rows } = await client.query<{ xid: string }>(
      `insert into events values (3, 'after') returning xmin::text as xid`,
    );
    xid = rows[0]?.xid ?? '';
    await cluster.archiveNow();
    after = await now();
  }, 60_000);

  afterAll(async () => {
    await thaw?.close();
    await cluster?.close();
  });

  test('to a time brings exactly the rows of before, in a cluster that archives nothing', async () => {
    const archived = await readdir(cluster.wal);
    const target = { kind: 'time', time: moment } as const;
    const outcome = await recover({ target, checks: [holds('in the backup', 'before')], keepRunning: true });
    expect(outcome).toMatchObject({
      ...{ state: 'completed', error: null, isRunning: true, data: at('recovered/data'), leftBehind: [] },
      ...{ plan: { kind: 'plain', timeline: 1, wal: { missing: null } }, notices: [] },
      recovered: { timeline: 2, stoppedAt: expect.stringMatching(/^before commit of transaction \d+/) },
      report: { outcome: 'verified', databases: [{ name: 'postgres', tables: 1 }] },
    });
    expect(outcome.rpoSeconds).toBeGreaterThanOrEqual(0);
    const sql = `select id, note, current_setting('archive_mode') as archiving,
        (pg_control_system()).system_identifier <> 0 as known from events order by id`;
    const rows = await cluster.rowsAndStop(at('recovered'), outcome.recovered?.port ?? 0, sql);
    expect(rows).toEqual([
      { id: 1, note: 'in the backup', archiving: 'off', known: true },
      { id: 2, note: 'before', archiving: 'off', known: true },
    ]);
    expect((await readdir(at('recovered'))).sort()).toEqual(['data', 'server.log', 'tablespaces']);
    expect(await readdir(cluster.wal)).toEqual(archived);
  });

  test('to a transaction, before it, or to a named point brings exactly what was there', async () => {
    const [two, three] = [holds('in the backup', 'before'), holds('in the backup', 'before', 'after')];
    const asked: readonly (readonly [string, Partial<PitrInput>, string, RegExp])[] = [
      ['xid', { target: { kind: 'xid', xid } }, three, new RegExp(`^after commit of transaction ${xid}\\b`)],
      [
        'before-xid',
        { target: { kind: 'xid', xid }, isExclusive: true },
        two,
        new RegExp(`^before commit of transaction ${xid}\\b`),
      ],
      ['name', { target: { kind: 'name', name: 'between both' } }, two, /^at restore point "between both"/],
    ];
    // What was never made is not reached.
    const never = recover({ target: { kind: 'name', name: 'never made' }, into: at('never') });
    await Promise.all(
      asked.map(async ([into, rest, check, stoppedAt]) => {
        const outcome = await recover({ ...rest, into: at(into), checks: [check] });
        expect({ into, ...outcome }).toMatchObject({
          ...{ into, state: 'completed', error: null, leftBehind: [], report: { outcome: 'verified' } },
          recovered: { timeline: 2, stoppedAt: expect.stringMatching(stoppedAt) },
        });
      }),
    );
    // A point has no before and after.
    const named = { target: { kind: 'name', name: 'between both' }, into: at('exclusive') } as const;
    expect(() => requestOf({ ...named, isExclusive: true })).toThrow(/exclusive/);
    expect(await never).toMatchObject({ state: 'failed', error: { code: 'ArchiveNotFound' } });
    expect(await exists(at('never'))).toBe(false);
  });

  test('to the end of the WAL, from compressed tars with a tablespace and compressed WAL in a bucket', async () => {
    const { bucket } = thaw.bucket;
    for (const name of await readdir(tars)) {
      await thaw.bucket.put(`pitr/base/${name}`, await readFile(path.join(tars, name)));
    }
    for (const name of await readdir(cluster.wal)) {
      const body = await readFile(path.join(cluster.wal, name));
      await thaw.bucket.put(`pitr/wal/0000000100000000/${name}.gz`, gzipSync(body, { level: 1 }));
    }
    const outcome = await recover({
      ...{ base: `s3://${bucket}/pitr/base/`, wal: `s3://${bucket}/pitr/wal`, into: at('latest') },
      checks: [holds('in the backup', 'before', 'after'), `select to_regclass('far') is null`],
    });
    expect(outcome).toMatchObject({
      ...{ state: 'completed', error: null, isRunning: false },
      ...{ plan: { kind: 'tar' }, recovered: { stoppedAt: null, timeline: 2 } },
    });
    expect(await exists(at('latest/data/postmaster.pid'))).toBe(false);

    const tooFar = await recover({ target: { kind: 'time', time: after }, into: at('too-far') });
    expect(tooFar).toMatchObject({
      state: 'failed',
      error: { code: 'ArchiveNotFound', message: expect.stringContaining('ended before the target') },
    });
    expect(await exists(at('too-far'))).toBe(false);
  });

  test('refuses what cannot be, and leaves nothing', async () => {
    const segments = (await readdir(cluster.wal)).filter((name) => /^[0-9A-F]{24}$/.test(name)).sort();
    const gone = segments.at(-2) ?? '';
    const gap = at('gap');
    await mkdir(gap);
    for (const name of segments.filter((each) => each !== gone)) {
      await cp(path.join(cluster.wal, name), path.join(gap, name), { preserveTimestamps: true });
    }
    await mkdir(at('empty'));
    await mkdir(at('taken'));
    await writeFile(at('taken/mine'), '');
    const refused: readonly [Partial<PitrInput>, string, string][] = [
      [{ wal: gap, base: tars }, 'ArchiveNotFound', `${gone} is missing`],
      [
        { wal: gap, base: tars, target: { kind: 'time', time: after } },
        'ArchiveNotFound',
        `${gone} is missing`,
      ],
      [{ target: { kind: 'lsn', lsn: 'FF/0' } }, 'ArchiveNotFound', 'ends before FF/0'],
      [{ wal: at('empty') }, 'ArchiveNotFound', 'no WAL at all'],
      [{ base: at('empty') }, 'ArchiveNotFound', 'no base backup'],
      [{ base: at('source') }, 'ArchiveCorrupt', 'no backup_label'],
      [{ target: { kind: 'time', time: before } }, 'InputInvalid', 'before the base backup, which began'],
      [{ target: { kind: 'lsn', lsn: '0/1' } }, 'InputInvalid', 'where the base backup ends'],
      [{ target: { kind: 'time', time: '2999-01-01T00:00:00Z' } }, 'InputInvalid', 'in the future'],
      [{ timeline: '7' }, 'ArchiveNotFound', 'no history of timeline 7'],
      [{ into: at('taken') }, 'InputInvalid', 'not empty'],
    ];
    for (const [input, code, message] of refused) {
      const { error, state } = await recover({ into: at('refused'), ...input });
      expect({ state, error }).toMatchObject({
        state: 'failed',
        error: { code, message: expect.stringContaining(message) },
      });
      if (message.startsWith('no WAL')) expect(error?.hint).toContain('archive_mode = on');
      expect(await exists(at('refused'))).toBe(false);
    }
    expect(await readdir(at('taken'))).toEqual(['mine']);

    const bad = at('bad');
    await cp(base, bad, { recursive: true });
    const file = await open(path.join(bad, 'global/pg_filenode.map'), 'r+');
    await file.write(Buffer.from([0xee]), 0, 1, 100);
    await file.close();
    const corrupt = await recover({ base: bad, into: at('corrupt') });
    expect(corrupt.error).toMatchObject({
      code: 'ArchiveCorrupt',
      message: expect.stringContaining('checksum mismatch for file "global/pg_filenode.map"'),
    });
    expect(await exists(at('corrupt'))).toBe(false);
    await rm(bad, { recursive: true });
  });

  test('that is cancelled leaves neither server nor folder; one whose worker is killed ends as if it had not been', async () => {
    const cancelled = requestOf({ into: at('cancelled') });
    await recoveries.start(cancelled);
    await whenIn(cancelled.restoreId, ['recover']);
    await thaw.restores.cancel(cancelled.restoreId, null);
    expect(await recoveries.outcome(cancelled.restoreId)).toMatchObject({ state: 'cancelled', data: null });
    expect(await exists(at('cancelled'))).toBe(false);

    await thaw.stopWorker();
    const worker = await WorkerProcess.start(thaw, cluster.folder);
    const target = { kind: 'time', time: moment } as const;
    const killed = requestOf({ target, into: at('killed'), checks: [holds('in the backup', 'before')] });
    await recoveries.start(killed);
    await whenIn(killed.restoreId, ['recover']);
    await worker.kill();
    await thaw.startWorker();
    expect(await recoveries.outcome(killed.restoreId)).toMatchObject({
      ...{ state: 'completed', error: null, isRunning: false, leftBehind: [] },
      recovered: { timeline: 2 },
    });
    expect(await exists(at('killed/wal'))).toBe(false);
  });
});
