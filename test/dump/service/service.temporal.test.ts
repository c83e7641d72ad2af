import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { Client, Connection } from '@temporalio/client';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { runService } from '../../../src/cli/service-job.ts';
import { DumpClient } from '../../../src/client/dump-client.ts';
import { type DumpInput, toDumpRequest } from '../../../src/client/dump-input.ts';
import { newRestoreId } from '../../../src/client/restore-id.ts';
import { type RestoreTarget, runningRestore } from '../../../src/client/running-restore.ts';
import { keepSchedule } from '../../../src/client/schedules.ts';
import { serviceFingerprint } from '../../../src/config/fingerprint.ts';
import { environmentConfig } from '../../../src/config/load-services.ts';
import { wholeDump } from '../../../src/contract/dump-request.ts';
import { serviceScheduleId } from '../../../src/contract/names.ts';
import { readService } from '../../../src/dump/service/service-environment.ts';
import { openStandaloneServer } from '../../../src/stack/standalone.ts';
import { ThawCommand } from '../../cli/thaw-command.ts';
import { thawHere } from '../../cli/thaw-here.ts';
import { until } from '../../fault/until.ts';
import { describeWithPrograms, pgDump } from '../../harness/client-programs.ts';
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts';
import { createTestBucket, type TestBucket } from '../../harness/s3.ts';
import { testTemporal } from '../../harness/temporal.ts';
import { triggerNow } from '../../harness/trigger-schedule.ts';
import { zooSql } from '../zoo.ts';

/** One `thaw service` in this process. */
interface RunningService {
  /** What it has logged, as JSON. */
  readonly lines: Record<string, unknown>[];
  readonly ended: Promise<number>;
  /** As SIGTERM does. */
  stop(): Promise<number>;
}

let bucket: TestBucket;
let from: TestDatabase;
let into: TestDatabase;
/** With nothing that pg_restore --clean could not drop. */
let small: TestDatabase;
let smallInto: TestDatabase;
let client: Client;
let stateDir: string;
let stores: NodeJS.ProcessEnv;
let running: RunningService[] = [];

describeWithPrograms('a service', () => {
  beforeAll(async () => {
    bucket = await createTestBucket();
    from = await createTestDatabase('service_from');
    into = await createTestDatabase('service_into');
    client = new Client({ connection: await Connection.connect({ address: testTemporal().address }) });
    stateDir = await mkdtemp(path.join(tmpdir(), 'thaw-service-'));
    small = await createTestDatabase('service_small');
    smallInto = await createTestDatabase('service_small_into');
    await run(from, zooSql);
    // Loaded so slowly that there is a half-way.
    await run(
      from,
      `
      create function public.slow() returns boolean language sql as 'select pg_sleep(0.3) is not null';
      create table public.waits (a integer check (public.slow()));
      insert into public.waits select generate_series(1, 8)`,
    );
    await run(small, 'create schema shop; create table shop.orders (id integer primary key)');
    await run(small, 'insert into shop.orders select generate_series(1, 15)');
    stores = {
      ...{
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        THAW_STATE_DIR: stateDir,
        THAW_SPOOL_DIR: stateDir,
      },
      ...{ AWS_ACCESS_KEY_ID: bucket.accessKeyId, AWS_SECRET_ACCESS_KEY: bucket.secretAccessKey },
      ...{ AWS_S3_BUCKET: bucket.bucket, AWS_S3_REGION: bucket.region, AWS_S3_ENDPOINT: bucket.endpoint },
      ...{ AWS_S3_FORCE_PATH_STYLE: 'true', SUPPORT_OBJECT_LOCK: 'true' },
      ...{ BACKUP_DATABASE_URL: from.url, RESTORE_DATABASE_URL: into.url },
    };
  }, 120_000);

  afterEach(async () => {
    for (const service of running) await service.stop();
    running = [];
  });

  afterAll(async () => {
    await client.connection.close();
    await from.drop();
    await into.drop();
    await small.drop();
    await smallInto.drop();
    await bucket.remove();
    // Its Temporal server was told to end, and takes its time.
    await rm(stateDir, { recursive: true, force: true, maxRetries: 50, retryDelay: 200 });
  });

  test('that is configured wrongly says all that is wrong and does nothing', async () => {
    const { exitCode, stdout, stderr } = await thawHere(['service'], {
      ...{ ...stores, MODE: 'restore', RESTORE_DATABASE_URL: '', AWS_S3_BUCKET: '' },
    });
    expect(exitCode).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('RESTORE_DATABASE_URL: is required');
    expect(stderr).toContain('AWS_S3_BUCKET: is required');
    expect(stderr).toContain(
      'RESTORE_RUN_ON_STARTUP, RESTORE_SINGLE_SHOT_MODE, RESTORE_CRON_SCHEDULE: one of them',
    );
  });

  test('dumps and restores on a Temporal server of its own, killed half-way, equal both ways', async () => {
    const once = { ...stores, BACKUP_SINGLE_SHOT_MODE: 'true', BUCKET_SUBFOLDER: 'own' };
    const backup = await thawHere(['service', '--log-format', 'json'], once);
    expect(backup).toMatchObject({ exitCode: 0, stderr: '' });
    const [key = '', manifest] = await bucket.keys('own/');
    expect(key).toMatch(/^own\/backup-[\dTZ-]+\.tar\.gz$/);
    expect(manifest).toBe(`${key}.manifest.json`);
    const bytes = (await bucket.get(key)).length;
    expect(logOf(backup.stdout)).toContainEqual(
      expect.objectContaining({ msg: 'Backup completed', key, bytes, seconds: expect.any(Number) }),
    );

    const restoring = { ...once, MODE: 'Restore', RESTORE_SINGLE_SHOT_MODE: 'true' };
    const killed = new ThawCommand(['service', '--log-format', 'json'], restoring);
    await until('loading', async () => killed.stdout.includes('Restoring to DB...'), 60_000);
    killed.kill('SIGKILL');
    const { stdout, stderr } = await killed.ended();
    expect(stderr).toBe('');
    const log = logOf(stdout);
    expect(log).toContainEqual(expect.objectContaining({ msg: 'Downloading from S3...', key, bytes }));
    const begun = log.find(({ msg }) => msg === 'Restoring to DB...');
    expect(begun).toMatchObject({ key, bytes, database: into.name, mode: 'into-existing' });

    const second = serve(restoring);
    expect({ exitCode: await second.ended, last: second.lines.at(-1) }).toMatchObject({
      exitCode: 0,
      last: { msg: 'Restore completed', database: into.name },
    });
    const [joined] = second.lines.filter(({ msg }) => msg === 'Joining the restore that goes on');
    expect(joined?.restoreId).toBe(begun?.restoreId);
    expect(second.lines).toContainEqual(
      expect.objectContaining({ msg: 'Restored to DB', key, bytes, seconds: expect.any(Number) }),
    );
    expect(await contentOf(into)).toBe(await contentOf(from));
    expect(`${backup.stdout}${stdout}`).not.toContain(from.password);
  }, 180_000);

  test('that restores once ends with the exit code of the restore', async () => {
    const dump = gzipSync(await pgDump(small, '--format=tar'));
    const name = 'backup-2026-01-01T00-00-00-000Z.tar.gz';
    await bucket.put(`once/${name}`, dump);
    const once = { ...cluster(), RESTORE_SINGLE_SHOT_MODE: '1', BUCKET_SUBFOLDER: 'once' };
    // What is there already is in the way, and all is taken back.
    await run(smallInto, 'create schema shop; create table shop.orders (id integer primary key)');
    const before = await contentOf(smallInto);
    expect(await endOf(once)).toMatchObject({
      exitCode: 1,
      last: { msg: 'Restore failed', error: { type: 'DumpRejected' } },
    });
    expect(await contentOf(smallInto)).toBe(before);
    await bucket.put('once/backup-2030-01-01T00-00-00-000Z.tar.gz', dump.subarray(0, -20));
    expect(await endOf(once)).toMatchObject({ exitCode: 3, last: { error: { type: 'ArchiveCorrupt' } } });
    const named = { ...once, RESTORE_OPTIONS: '--clean --if-exists', RESTORE_FILE_KEY: name };
    expect(await endOf(named)).toMatchObject({ exitCode: 0, last: { key: `once/${name}` } });
    expect(await contentOf(smallInto)).toBe(await contentOf(small));
  });

  test('has the schedule of its variables, and outlives what fails', async () => {
    const first = {
      ...{ ...cluster(), BUCKET_SUBFOLDER: 'cron', TZ: 'Europe/Berlin' },
      ...{ RESTORE_CRON_SCHEDULE: '30 4 * * 1', RESTORE_OPTIONS: '--clean --if-exists' },
    };
    const service = serve(first);
    await logged(service, 'Scheduled');
    const target = targetOf(first);
    const { server, database } = target;
    const schedule = client.schedule.getHandle(serviceScheduleId('restore', server, database));
    const made = await schedule.describe();
    expect(made.spec.calendars).toMatchObject([
      {
        second: [{ start: 0 }],
        minute: [{ start: 30 }],
        hour: [{ start: 4 }],
        dayOfWeek: [{ start: 'MONDAY' }],
      },
    ]);
    expect(made.spec.timezone).toBe('Europe/Berlin');
    expect(made.policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 600_000 });

    // There is no dump.
    await triggerNow(schedule);
    const failed = await logged(service, 'Restore failed');
    expect(failed).toMatchObject({
      error: { type: 'ArchiveNotFound' },
      restoreId: expect.stringMatching(/^cron-/),
    });
    const dump = gzipSync(await pgDump(small, '--format=tar'));
    await bucket.put('cron/backup-2026-01-01T00-00-00-000Z.tar.gz', dump);
    await run(smallInto, 'delete from shop.orders');
    await until('it has ended', async () => (await runningRestore(client, target)) === null);
    await triggerNow(schedule);
    await logged(service, 'Restore completed');
    expect(await contentOf(smallInto)).toBe(await contentOf(small));
    expect(await service.stop()).toBe(0);

    const changed = serve({ ...first, RESTORE_CRON_SCHEDULE: '0 5 1 * *', TZ: 'UTC' });
    await logged(changed, 'Scheduled');
    const { spec } = await schedule.describe();
    expect(spec.calendars).toMatchObject([
      { minute: [{ start: 0 }], hour: [{ start: 5 }], dayOfMonth: [{ start: 1 }] },
    ]);
    expect(await changed.stop()).toBe(0);

    const removed = serve({ ...first, RESTORE_CRON_SCHEDULE: '', RESTORE_RUN_ON_STARTUP: 'yes' });
    await logged(removed, 'The schedule is removed');
    await expect(schedule.describe()).rejects.toThrow(/not found/i);
    await logged(removed, 'Restore completed');
    await until('it has ended', async () => (await runningRestore(client, target)) === null);
    expect(await removed.stop()).toBe(0);
  });

  test('joins a restore of its own that nobody works on yet', async () => {
    const name = 'backup-2026-01-01T00-00-00-000Z.tar.gz';
    await bucket.put(`join/${name}`, gzipSync(await pgDump(small, '--format=tar')));
    const env = {
      ...cluster(),
      BUCKET_SUBFOLDER: 'join',
      RESTORE_SINGLE_SHOT_MODE: '1',
      RESTORE_OPTIONS: '-c',
    };
    const { service } = readService(env);
    const target = targetOf(env);
    const { taskQueue } = target;
    const request = toDumpRequest(wholeInput, environmentConfig([service]), newRestoreId(), 5);
    await new DumpClient(client, taskQueue).start(request);
    const { restoreId } = await until('it is listed', () => runningRestore(client, target));
    expect(restoreId).toBe(request.restoreId);
    const { ended, lines } = serve(env);
    expect(await ended).toBe(0);
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'Joining the restore that goes on', restoreId }),
    );
    const query = `WorkflowType = 'restoreDump' and TaskQueue = '${taskQueue}'`;
    expect((await client.workflow.count(query)).count).toBe(1);
    expect(await runningRestore(client, target)).toBeNull();
  });

  test('leaves its Temporal server with nothing of another mode', async () => {
    const server = await openStandaloneServer({ stateDir, log: () => {} });
    const connection = await Connection.connect({ address: server.address });
    const own = new Client({ connection });
    await keepSchedule(own, {
      ...{ scheduleId: serviceScheduleId('backup', 'db:5432', 'shop'), cron: '@daily', timeZone: 'UTC' },
      ...{ type: 'backupDump', args: [], workflowId: 'backup/shop', taskQueue: 'gone', summary: '' },
    });
    const env = { ...stores, MODE: 'restore', BUCKET_SUBFOLDER: 'own', RESTORE_CRON_SCHEDULE: '@daily' };
    await logged(serve(env), 'Scheduled');
    const ids = await until('one schedule', async () => {
      const found: string[] = [];
      for await (const { scheduleId } of own.schedule.list()) found.push(scheduleId);
      return found.length === 1 && found;
    });
    expect(ids).toEqual([expect.stringContaining('service/restore/')]);
    await connection.close();
    await server.release();
  });
});

const wholeInput: DumpInput = {
  ...{ service: null, choice: { kind: 'latest', before: null }, mode: 'into-existing', into: null },
  ...{ create: false, owner: null, part: wholeDump, restoreOptions: '-c', fallback: 0, keepOldSeconds: 0 },
  ...{ jobs: null, allowErrors: false, checks: [], checkUrls: [] },
};

/** Restores into the small database, on the Temporal server of the run. */
function cluster(): NodeJS.ProcessEnv {
  const { address } = testTemporal();
  return { ...stores, MODE: 'restore', RESTORE_DATABASE_URL: smallInto.url, TEMPORAL_ADDRESS: address };
}

function targetOf(env: NodeJS.ProcessEnv): RestoreTarget {
  const { service } = readService(env);
  const { host, port, name } = service.connection;
  const taskQueue = `thaw-service-restore-${serviceFingerprint(service)}`;
  return { server: `${host}:${port}`, database: name, taskQueue };
}

async function endOf(env: NodeJS.ProcessEnv): Promise<object> {
  const { ended, lines } = serve(env);
  return { exitCode: await ended, last: lines.at(-1) };
}

function serve(env: NodeJS.ProcessEnv): RunningService {
  const stopping = new AbortController();
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  const error = (fault: unknown) =>
    fault instanceof Error ? { type: Reflect.get(fault, 'type'), message: fault.message } : fault;
  const logger = pino({ level: 'info', serializers: { error } }, { write });
  const ended = runService({ settings: readService(env), flags: {}, env, logger }, stopping.signal);
  const service = {
    ...{ lines, ended },
    stop: () => {
      stopping.abort();
      return ended;
    },
  };
  running.push(service);
  return service;
}

/** The last line of that message, once it is there. */
function logged(service: RunningService, message: string): Promise<Record<string, unknown>> {
  return until(message, async () => service.lines.findLast(({ msg }) => msg === message) ?? null);
}

function logOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

async function contentOf(database: TestDatabase): Promise<string> {
  const text = (await pgDump(database, '--format=plain')).toString();
  // The key is drawn anew each time.
  return text.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

async function run(database: TestDatabase, sql: string): Promise<Record<string, unknown>[]> {
  const session = await database.client();
  try {
    return (await session.query(sql)).rows;
  } finally {
    await session.end();
  }
}
