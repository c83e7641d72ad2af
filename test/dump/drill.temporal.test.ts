import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DrillClient, drillSchedule, drillScheduleId } from '../../src/client/drill-client.ts';
import { type DrillInput, toDrillRequest } from '../../src/client/drill-request.ts';
import { newRestoreId } from '../../src/client/restore-id.ts';
import { keepSchedule, removeSchedule } from '../../src/client/schedules.ts';
import type { DrillObjectives, DrillReport } from '../../src/contract/drill.ts';
import { restoreWorkflowId } from '../../src/contract/names.ts';
import { listDrills } from '../../src/postgres/drill-records.ts';
import { thawHere } from '../cli/thaw-here.ts';
import { writeArchive } from '../harness/archive-writer.ts';
import { describeWithPrograms, pgDump } from '../harness/client-programs.ts';
import { triggerNow } from '../harness/trigger-schedule.ts';
import { createDumpSite, type DumpSite } from './dump-site.ts';

let site: DumpSite;
let drills: DrillClient;
let server: Server;
/** What the webhook was told, and with which event. */
const told: { event: unknown; body: Partial<DrillReport> }[] = [];

const dumpDrill = (checks: readonly string[] = []): DrillInput => ({
  kind: 'dump',
  dump: {
    ...site.request(),
    choice: { kind: 'latest', before: null },
    restoreOptions: '',
    mode: null,
    checks,
  },
});

async function drill(input: DrillInput, objectives: Partial<DrillObjectives> = {}): Promise<DrillReport> {
  const whole = { rtoSeconds: null, rpoSeconds: null, ...objectives };
  const request = toDrillRequest(input, whole, site.thaw.config, newRestoreId(), 5);
  await drills.start(request);
  return drills.outcome(request.restoreId);
}

describeWithPrograms('a drill', () => {
  beforeAll(async () => {
    server = createServer(async (request, response) => {
      const body = JSON.parse(await text(request)) as Partial<DrillReport>;
      told.push({ event: request.headers['thaw-event'], body });
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    site = await createDumpSite('drill', 'worker', {
      env: { THAW_WEBHOOK_URL: `http://127.0.0.1:${port}/hook`, THAW_WEBHOOK_SECRET: 'known' },
    });
    drills = new DrillClient(site.thaw.client, site.thaw.temporal.taskQueue);
    const { name } = site.live;
    await site.query(`drop database ${name} with (force)`, 'postgres');
    const locale = `encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'`;
    await site.query(`create database ${name} template template0 ${locale}`, 'postgres');
    await site.query(`
      create table users (id serial primary key, name text);
      insert into users (name) select 'u' || n from generate_series(1, 40) as n`);
    const at = new Date(Date.now() - 3_600_000).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
    await site.put(`argus_${at.replace('T', '_')}.sql.gz`, gzipSync(await pgDump(site.live)));
    await site.query('delete from users where id > 5');
  });

  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await site.close();
  });

  test('of a dump restores the newest one beside the live database, which is left alone, and leaves nothing but its report', async () => {
    const checks = ['select count(*) = 40 from users', `select getdatabaseencoding() = 'LATIN1'`];
    const report = await drill(dumpDrill(checks), {
      rtoSeconds: 600,
      rpoSeconds: 86_400 * 2,
    });
    expect(report).toMatchObject({
      ...{ subject: 'argus', outcome: 'verified', missed: [], error: null, rows: 40, webhook: null },
      ...{ leftBehind: [], notices: [], backup: expect.stringMatching(/^argus_.*\.sql\.gz$/) },
      report: {
        outcome: 'verified',
        before: null,
        tables: [{ table: 'public.users', dump: 40, after: 40 }],
      },
    });
    expect(report.report?.checks).toContainEqual({
      name: 'check 1',
      outcome: 'passed',
      detail: 'It is true.',
    });
    expect(report.rpoSeconds).toBeGreaterThanOrEqual(3600);
    expect(await site.databases()).toEqual([site.live.name]);
    expect(await site.query('select count(*)::integer as rows from users')).toEqual([{ rows: 5 }]);
    const kept = await site.query(
      `select report from thaw.drills where drill_id = '${report.drillId}'`,
      'postgres',
    );
    expect(kept).toEqual([{ report }]);
    expect(told).toEqual([]);
  });

  test('that fails, or misses its objective, is told to the webhook, and leaves nothing either', async () => {
    const failed = await drill(dumpDrill(['select count(*) = 41 from users']));
    expect(failed).toMatchObject({
      ...{ outcome: 'failed', webhook: 'sent', leftBehind: [] },
      error: { code: 'VerificationFailed' },
    });
    const leftover = `${site.live.name}__drill_x`;
    await site.query(`create database ${leftover}`, 'postgres');
    const late = await drill(dumpDrill(), { rpoSeconds: 60 });
    expect(late.notices).toEqual([`${leftover} is there, of a drill that runs, or was broken off.`]);
    await site.query(`drop database ${leftover}`, 'postgres');
    expect(late).toMatchObject({ outcome: 'verified', missed: ['rpo'], webhook: 'sent' });
    expect(told.map(({ event, body }) => [event, body.drillId, body.subject])).toEqual([
      ['drill.failed', failed.drillId, 'argus'],
      ['drill.objective_missed', late.drillId, 'argus'],
    ]);
    expect(await site.databases()).toEqual([site.live.name]);
  });

  test('of row archives restores them into a schema, and leaves neither it nor a watermark', async () => {
    const { thaw } = site;
    const database = thaw.database.name;
    const columns = [
      { name: 'id', data_type: 'bigint', udt_name: 'int8', is_nullable: false, ordinal_position: 1 },
      { name: 'note', data_type: 'text', udt_name: 'text', is_nullable: true, ordinal_position: 2 },
    ].map((column) => ({
      ...column,
      ...{ character_maximum_length: null, numeric_precision: null, numeric_scale: null, default: null },
    }));
    for (const batch of [1, 2]) {
      await writeArchive(thaw.bucket.put, {
        ...{ database, table: 'audit_logs', batch, primaryKey: 'id' },
        archivedAt: '2026-01-04T05:20:21+00:00',
        rows: Array.from({ length: 10 }, (_, place) => ({ id: batch * 100 + place, note: `n${place}` })),
        tableSchema: {
          ...{ table_name: 'audit_logs', schema_name: 'public', columns },
          primary_key: { constraint_name: 'audit_logs_pkey', columns: ['id'] },
          ...{ foreign_keys: [], indexes: [], check_constraints: [], unique_constraints: [] },
        },
      });
    }
    const report = await drill({ kind: 'archives', database, tables: ['audit_logs'] });
    expect(report).toMatchObject({
      ...{ subject: `${database}/public.audit_logs`, outcome: 'verified', rows: 20, error: null },
      ...{
        takenAt: '2026-01-04T05:20:21.000Z',
        backup: expect.stringContaining('batch_002'),
        leftBehind: [],
      },
    });
    const { rows } = await thaw.pg.query(`
      select (select count(*)::integer from pg_namespace where nspname like 'thaw_drill%') as schemas,
        (select count(*)::integer from thaw.archives) as archives, (select count(*)::integer from thaw.targets) as targets`);
    expect(rows).toEqual([{ schemas: 0, archives: 0, targets: 0 }]);
    expect((await thaw.bucket.keys()).filter((key) => key.includes('restore_watermark'))).toEqual([]);
    expect(await listDrills(thaw.pg, report.subject, 10)).toMatchObject([{ drillId: report.drillId }]);

    await writeArchive(thaw.bucket.put, {
      ...{ database, table: 'audit_logs', batch: 3, primaryKey: 'id', corrupt: 'compressed-sha256' as const },
      archivedAt: '2026-01-04T05:20:21+00:00',
      rows: [{ id: 1, note: 'x' }],
    });
    expect(await drill({ kind: 'archives', database, tables: ['audit_logs'] })).toMatchObject({
      ...{ outcome: 'failed', error: { code: 'ChecksumMismatch' }, webhook: 'sent' },
    });
  });

  test('by command tells what it found, and history and trend of all', async () => {
    const config = path.join(site.folder, 'config.json');
    await writeFile(config, site.thaw.configText);
    const { address, taskQueue } = site.thaw.temporal;
    const { TEMPORAL_ADDRESS: _, TEMPORAL_NAMESPACE: __, ...rest } = process.env;
    const alone = { ...rest, THAW_CONFIG: config, THAW_STATE_DIR: site.folder };
    const env = { ...alone, TEMPORAL_ADDRESS: address, THAW_TASK_QUEUE: taskQueue };

    const end = await thawHere(
      ['drill', 'argus', '--rto', '10m', '--rpo', '30m', '--check', 'select count(*) = 40 from users'],
      env,
    );
    expect(end).toMatchObject({ exitCode: 2, stderr: '' });
    expect(end.stdout).toMatch(/^ *public\.users +- +40 +40$/m);
    expect(end.stdout).toMatch(/^Recovery time: \d+ s \(objective 10 min 0 s: met\)$/m);
    expect(end.stdout).toMatch(/^Recovery point: 1 h \d+ min old \(objective 30 min 0 s: MISSED\)$/m);
    expect(end.stdout).toMatch(/^Webhook: sent$/m);
    expect(end.stdout).toMatch(/^Drill of argus: verified, missed rpo$/m);
    const [, drillId = ''] = /^Restore (\S+)/m.exec(end.stdout) ?? [];
    const watched = await thawHere(['watch', drillId, '--json'], env);
    const status = await thawHere(['status', drillId, '--json'], env);
    expect(watched.exitCode).toBe(2);
    expect(JSON.parse(watched.stdout)).toMatchObject({ drillId, outcome: 'verified', missed: ['rpo'] });
    expect(status.stdout).toBe(watched.stdout);

    const history = await thawHere(['drills', 'argus', '--json'], env);
    const { drills: kept, trends } = JSON.parse(history.stdout);
    expect(kept).toContainEqual(JSON.parse(watched.stdout));
    // The server is that of other tests, too, which have drills of another argus.
    const missed = kept.filter((drill: { missed: string[] }) => drill.missed.length > 0).length;
    const [{ rtoSeconds: lastRtoSeconds }] = kept;
    expect(trends).toMatchObject([{ subject: 'argus', drills: kept.length, lastRtoSeconds, missed }]);
    const table = await thawHere(['drills', 'argus'], env);
    expect(table.stdout).toMatch(/^\S+Z +argus +verified, missed rpo +\d+ s +1 h \d+ min +argus_\S+$/m);
    expect(table.stdout).toMatch(
      /^argus: \d+ of \d+ verified, \d+ missed an objective; recovery \d+ s, median /m,
    );

    for (const [args, message] of [
      [['drill', 'argus', '--archives', 'x'], 'argus: is for dumps, and not for --archives'],
      [['drill', 'argus', '--table', 'x'], '--table: belongs to --archives'],
      [['drill', 'argus', '--cron', '0 4 * * *'], '--cron: needs a Temporal cluster'],
    ] as const) {
      const refused = await thawHere(args, alone);
      expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(message) });
    }
    const scheduled = await thawHere(['drill', 'argus', '--cron', '0 4 * * *', '--json'], env);
    expect(JSON.parse(scheduled.stdout)).toMatchObject({ schedule: 'drill/argus', next: expect.any(String) });
    const removed = await thawHere(['drill', 'argus', '--no-cron'], env);
    expect(removed.stdout).toBe('argus: no drills are scheduled any more\n');
  });

  test('is done by a schedule, one after another, which can be changed and taken away', async () => {
    const { client, temporal } = site.thaw;
    const objectives = { rtoSeconds: null, rpoSeconds: null };
    const { taskQueue } = temporal;
    const request = toDrillRequest(dumpDrill(), objectives, site.thaw.config, '', 5);
    // Names in Temporal are those of the whole test run.
    const own = { ...request, subject: `argus-${site.live.name}` };
    const when = { cron: '30 4 * * 0', timeZone: 'Europe/Berlin', taskQueue };
    const first = await keepSchedule(client, drillSchedule(own, when));
    expect(first.made).toBe(true);
    expect(first.next?.getUTCDay()).toBe(0);
    const changed = await keepSchedule(client, drillSchedule(own, { ...when, cron: '0 5 * * 1' }));
    expect(changed).toMatchObject({ made: false });
    expect(changed.next?.getUTCDay()).toBe(1);
    for (const cron of ['now and then', '99 4 * * 0', '@sometimes']) {
      const wrong = keepSchedule(client, drillSchedule(own, { ...when, cron }));
      await expect(wrong).rejects.toMatchObject({ code: 'InputInvalid', message: `${cron} is no schedule` });
    }

    const handle = client.schedule.getHandle(drillScheduleId(own.subject));
    const { policies } = await handle.describe();
    expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 600_000 });
    await triggerNow(handle);
    const subject = () =>
      site.query(
        `select outcome, drill_id as id from thaw.drills where subject = '${own.subject}'`,
        'postgres',
      );
    await expect
      .poll(subject, { timeout: 40_000 })
      .toMatchObject([{ outcome: 'verified', id: expect.stringMatching(/^drill-argus-.*Z$/) }]);
    const [{ id } = { id: '' }] = await subject();
    await client.workflow.getHandle(restoreWorkflowId(String(id))).result();
    expect(await removeSchedule(client, drillScheduleId(own.subject))).toBe(true);
    expect(await removeSchedule(client, drillScheduleId(own.subject))).toBe(false);
  });
});
