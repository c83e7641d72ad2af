import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { type RunningApi, startApi } from '../../src/api/server.ts';
import type { NewToken } from '../../src/auth/sign-token.ts';
import { openTemporal } from '../../src/client/temporal-connection.ts';
import type { ThawConfig } from '../../src/config/thaw-config.ts';
import { createDumpSite, type DumpSite } from '../dump/dump-site.ts';
import { zooSql } from '../dump/zoo.ts';
import { describeWithPrograms, pgDump } from '../harness/client-programs.ts';
import { testAuthorization, tokenEnv } from '../harness/token.ts';
import { runIn } from './api-site.ts';
import { type Answer, post, read } from './fake-restores.ts';

let site: DumpSite;
let api: RunningApi;
let folder: string;
/** The live database as it was dumped. */
let content: string;

const systemYaml = `
name: opareta
databases: [{ service: argus }]
stop: [{ name: gate, run: 'test -e open' }]
wait_for_operator: 2m
checklist: [Tell everybody]
`;

const newest = 'argus_20250102_020000.sql.gz';

/** A request of the tenant that the service is for, unless a test says otherwise. */
async function ask(
  path: string,
  init: RequestInit = {},
  token: Partial<NewToken> = {},
  { url }: RunningApi = api,
): Promise<Answer> {
  const authorization = await testAuthorization({ tenant: 'acme', access: 'full', ...token });
  const headers = { ...Object.fromEntries(new Headers(init.headers)), authorization };
  return read(await fetch(`${url}${path}`, { ...init, headers }));
}

/** An API of the site. */
function listen(config: ThawConfig): Promise<RunningApi> {
  return startApi({
    config,
    env: {
      ...tokenEnv,
      ...{ THAW_DATABASE_URL: site.thaw.database.url, THAW_SYSTEM: path.join(folder, 'system.yaml') },
    },
    port: 0,
    temporal: openTemporal({ TEMPORAL_ADDRESS: site.thaw.temporal.address }),
    taskQueue: site.thaw.temporal.taskQueue,
    logger: pino({ level: 'silent' }),
    reconcileSeconds: 1,
  });
}

/** Starts a restore that is not saved. @returns the id of its run */
async function start(body: object, token: Partial<NewToken> = {}): Promise<string> {
  const { status, json } = await ask('/api/restores', post({ source_type: 'dump', ...body }), token);
  expect({ status, error: json.error }).toEqual({ status: 202 });
  return String(json.data.run_id);
}

/** The log of a run, as `level: message`. */
async function logOf(runId: string): Promise<string[]> {
  const { json } = await ask(`/api/data/restore_logs?filter[where][run_id]=${runId}`);
  const lines = json.data as unknown as { readonly level: string; readonly message: string }[];
  return lines.map(({ level, message }) => `${level}: ${message}`);
}

describeWithPrograms('dumps over the API', () => {
  beforeAll(async () => {
    folder = await mkdtemp(path.join(inject('stack').folder, 'system-'));
    const file = path.join(folder, 'system.yaml');
    await writeFile(file, systemYaml);
    site = await createDumpSite('dump_api', 'worker', { env: { THAW_SYSTEM: file } });
    await site.query(zooSql);
    content = await site.content();
    const dump = gzipSync(await pgDump(site.live, '--no-owner', '-x'));
    await site.put(newest, dump);
    await site.put('argus_20250101_020000.sql.gz', dump.subarray(0, dump.length - 20));
    await site.put('tar.tar.gz', gzipSync(await pgDump(site.live, '--format=tar')));
    api = await listen(site.thaw.config);
  }, 120_000);

  beforeEach(async () => {
    await site.query('drop table if exists shop.carts; delete from shop.orders');
  });

  afterAll(async () => {
    await api.close();
    await site.close();
    await rm(folder, { recursive: true });
  });

  test('a dump takes the place of the live database, observed and verified', async () => {
    const runId = await start({ source_ref: 'latest', service: 'argus', keep_old: '90m' });
    const run = await runIn(api, runId, ['completed']);
    expect(await site.content()).toBe(content);
    const [, old] = await site.databases();
    expect(run).toMatchObject({
      ...{ database: site.live.name, progress: 100, error: null },
      archives: { done: 1, total: 1 },
      dump: {
        ...{ service: 'argus', mode: 'swap', step: null, key: newest, left_behind: [], passed_over: [] },
        proof: { key: newest, format: 'plain', compression: 'gzip', server_version: expect.any(String) },
        report: {
          outcome: 'verified',
          tables: expect.arrayContaining([
            { table: 'shop.orders', before: 0, before_is_estimate: false, dump: 15, after: 15 },
          ]),
          before: { database: site.live.name },
        },
        old: { name: old, drop_at: expect.any(String) },
      },
    });
    const { rows } = (run.dump as { report: { after: { rows: number } } }).report.after;
    expect(rows).toBeGreaterThan(15);
    const record = await ask(`/api/data/restore_runs/${runId}`);
    expect(record.json.data).toMatchObject({
      ...{ source_type: 'dump', restore_id: null, status: 'completed', progress: 100, error: null },
      records_imported: rows,
      progress_detail: { files_total: 1, files_completed: 1, dump: newest, verification: 'verified' },
      config_snapshot: { source_ref: 'latest', options: { service: 'argus', keep_old: '90m' } },
    });
    const log = await logOf(runId);
    expect(log).toEqual(
      expect.arrayContaining([
        `info: Dump ${newest} is whole`,
        `info: Loaded ${newest} for ${site.live.name} (swap)`,
        expect.stringMatching(/^info: Verification: verified, \d+ checks$/),
        expect.stringContaining(`The old database is kept as ${old}`),
      ]),
    );
    expect(log.at(-1)).toBe('info: Restore completed successfully');
    expect(new Set(log).size).toBe(log.length);

    const back = { method: 'POST', headers: { 'idempotency-key': 'back' } };
    const path = '/api/databases/argus/swap-back';
    expect((await ask(path, back, { access: 'edit' })).status).toBe(403);
    expect((await ask(path, post({ into: 'postgres' }))).status).toBe(403);
    expect((await ask(path, post({ into: 7 }))).status).toBe(400);
    expect(await ask(path, post({ into: `${site.live.name}_x` }))).toMatchObject({
      status: 404,
      json: { error_code: 'NOT_FOUND', data: { code: 'TargetMissing' } },
    });
    const done = await ask(path, back);
    expect(done).toMatchObject({ status: 200, json: { data: { database: site.live.name, from: old } } });
    expect(await site.query('select count(*)::int as rows from shop.orders')).toEqual([{ rows: 0 }]);
    // An answer that was lost is given again, and nothing else happens.
    expect((await ask(path, back)).json.data).toEqual(done.json.data);
    expect(await site.query('select count(*)::int as rows from shop.orders')).toEqual([{ rows: 0 }]);
    expect((await ask(path, { method: 'POST' })).status).toBe(200);
    expect(await site.content()).toBe(content);
  });

  test('services and their dumps are listed for whom they are', async () => {
    const argus = { name: 'argus', database: site.live.name, is_default: true, dumps: true };
    const read = { access: 'read' } as const;
    expect((await ask('/api/services', {}, read)).json.data).toEqual([argus]);
    expect((await ask('/api/services', {}, { access: 'root' })).json.data).toMatchObject([
      { name: 'argus', is_default: false },
      { name: site.thaw.database.name },
    ]);
    const { json } = await ask('/api/data/dumps?service=argus', {}, read);
    expect(json.data).toMatchObject([
      {
        ...{ key: newest, taken_at: expect.any(String), format: 'plain', compression: 'gzip' },
        ...{ foreign: null, fault: null, proved_at: expect.any(String), verified_at: expect.any(String) },
        ...{ bytes: expect.any(Number), age_seconds: expect.any(Number), modified_at: expect.any(String) },
      },
      { key: 'argus_20250101_020000.sql.gz', format: 'plain', verified_at: null },
    ]);
    const first = await ask('/api/data/dumps?limit=1', {}, read);
    expect(first.json.data).toHaveLength(1);
    const [, next = ''] = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '') ?? [];
    const second = await ask(next, {}, read);
    expect(second.json.data).toMatchObject([{ key: 'argus_20250101_020000.sql.gz' }]);
    expect(second.headers.get('link')).toBe(null);
    const before = await ask('/api/data/dumps?before=2025-01-01T12:00:00Z', {}, read);
    expect(before.json.data).toMatchObject([{ key: 'argus_20250101_020000.sql.gz' }]);
    for (const wrong of ['service=x', 'before=now', 'limit=0', 'offset=-1', 'colour=red']) {
      expect({ wrong, status: (await ask(`/api/data/dumps?${wrong}`, {}, read)).status }).toEqual({
        wrong,
        status: 400,
      });
    }

    const stranger = { tenant: 'other', access: 'full' } as const;
    expect((await ask('/api/services', {}, stranger)).json.data).toEqual([]);
    expect((await ask('/api/data/dumps?service=argus', {}, stranger)).status).toBe(400);
    expect((await ask('/api/databases/argus/swap-back', { method: 'POST' }, stranger)).status).toBe(404);
  });

  test('a dry run of a dump tells what it would do, and touches nothing', async () => {
    const before = [await site.content(), await site.databases()];
    const runId = await start({ source_ref: 'latest', service: 'argus', dry_run: true });
    const run = await runIn(api, runId, ['completed']);
    expect(run).toMatchObject({
      ...{ progress: 100, error: null, archives: { done: 0, total: 1 } },
      dump: {
        ...{ mode: 'swap', key: newest, proof: { format: 'plain' }, report: null, old: null },
        would_do: [expect.stringContaining(`load ${newest}`), ...Array(3).fill(expect.any(String))],
      },
    });
    expect(JSON.stringify(run.dump)).not.toContain('Not in the dump');
    expect((await ask(`/api/data/restore_runs/${runId}`)).json.data).toMatchObject({ records_imported: 0 });
    expect(await logOf(runId)).toContainEqual(expect.stringContaining('info: Would: keep for 24 h the old '));
    expect([await site.content(), await site.databases()]).toEqual(before);
  });

  test('a saved restore of a dump runs, fails with its reason, and is counted', async () => {
    const options = {
      service: 'argus',
      mode: 'into-existing',
      data_only: true,
      only_tables: ['shop.orders'],
    };
    const body = { name: 'Orders', source_type: 'dump', source_ref: 'tar.tar.gz', options };
    const saved = await ask('/api/data/restores', post(body));
    expect(saved).toMatchObject({
      status: 201,
      json: { data: { ...body, conflict_strategy: 'replace', include: ['describe', 'data'] } },
    });
    const id = String(saved.json.data.id);
    // What was read may be sent back.
    const { source_type, source_ref, conflict_strategy, include, models, create_models } = saved.json.data;
    const same = { source_type, source_ref, conflict_strategy, include, models, create_models };
    expect((await ask(`/api/data/restores/${id}`, { ...post(same), method: 'PUT' })).status).toBe(200);

    const keyed = { method: 'POST', headers: { 'idempotency-key': 'orders' } };
    const edit = { access: 'edit' } as const;
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => ask(`/api/restores/${id}/run`, keyed, edit)),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const [runId = '', ...others] = new Set(answers.map(({ json }) => String(json.data.run_id)));
    expect(others).toEqual([]);
    expect(await runIn(api, runId, ['completed'])).toMatchObject({
      counts: { records_inserted: 15 },
      dump: { mode: 'into-existing', key: 'tar.tar.gz', old: null },
    });
    expect(await site.query('select count(*)::int as rows from shop.orders')).toEqual([{ rows: 15 }]);

    const again = await ask(`/api/restores/${id}/run`, { method: 'POST' }, edit);
    const failed = await runIn(api, String(again.json.data.run_id), ['failed']);
    expect(failed).toMatchObject({ error: { code: 'DumpRejected' }, dump: { key: 'tar.tar.gz' } });
    const log = await logOf(String(again.json.data.run_id));
    expect(log).toContain(`warn: ${site.live.name} is as it was.`);
    expect(log.at(-1)).toMatch(/^error: Restore failed: /);
    expect((await ask(`/api/data/restores/${id}`)).json.data).toMatchObject({
      ...{ total_runs: 2, successful_runs: 1, failed_runs: 1 },
    });
    const dry = await ask(`/api/restores/${id}/run`, post({ dry_run: true }));
    expect(await runIn(api, String(dry.json.data.run_id), ['completed'])).toMatchObject({
      dump: {
        mode: 'into-existing',
        would_do: [expect.stringContaining('load a part'), 'compare objects and rows with the dump'],
        report: null,
      },
    });
    expect(await site.query('select count(*)::int as rows from shop.orders')).toEqual([{ rows: 15 }]);
  });

  test('a run is paused, resumed and cancelled, and one at a time', async () => {
    const options = { service: 'argus', data_only: true, only_tables: ['shop.orders'] };
    const body = { name: 'Held', source_type: 'dump', source_ref: 'tar.tar.gz', options };
    const id = String((await ask('/api/data/restores', post(body))).json.data.id);
    const run = () => ask(`/api/restores/${id}/run`, { method: 'POST' });
    const holder = await site.live.client();
    await holder.query('begin; lock table shop.orders in access exclusive mode');
    const runId = String((await run()).json.data.run_id);
    await expect
      .poll(async () => (await ask(`/api/runs/${runId}`)).json.data.dump, { timeout: 30_000 })
      .toMatchObject({ step: expect.stringMatching(/survey|load/) });
    expect(await run()).toMatchObject({
      status: 409,
      json: { error_code: 'CONFLICT', data: { run_id: runId } },
    });
    expect((await ask(`/api/runs/${runId}/pause`, post({ now: true, reason: 'lunch' }))).status).toBe(200);
    expect(await runIn(api, runId, ['paused'])).toMatchObject({ reason: 'lunch' });
    expect((await ask(`/api/runs/${runId}/resume`, { method: 'POST' })).status).toBe(200);
    await runIn(api, runId, ['planning', 'running']);
    expect((await ask(`/api/restores/${id}/cancel`, { method: 'POST' })).status).toBe(200);
    expect(await runIn(api, runId, ['cancelled'])).toMatchObject({ dump: { key: 'tar.tar.gz' } });
    await holder.query('rollback');
    await holder.end();
    expect(await site.query('select count(*)::int as rows from shop.orders')).toEqual([{ rows: 0 }]);
    expect((await logOf(runId)).filter((line) => line.startsWith('warn: '))).toEqual(
      expect.arrayContaining(['warn: Cancel asked for by user', 'warn: Restore cancelled by user']),
    );
  });

  test('a dump that is not good gives way to none unless asked, and its events tell so', async () => {
    const wanted = { source_ref: 'argus_20250101_020000.sql.gz', service: 'argus' };
    const runId = await start(wanted);
    const headers = { authorization: await testAuthorization({ tenant: 'acme', access: 'read' }) };
    const events = await (await fetch(`${api.url}/api/runs/${runId}/events`, { headers })).text();
    expect(events).toMatch(/^id: end$/m);
    expect(events).toContain('Restore failed: ');
    expect(await runIn(api, runId, ['failed'])).toMatchObject({
      ...{ progress: 0, error: { code: 'ArchiveCorrupt' } },
      dump: { passed_over: [{ key: wanted.source_ref }], report: null },
    });
    expect(await logOf(runId)).toContainEqual(
      expect.stringMatching(/^warn: Dump argus_20250101_020000.sql.gz is not good: ArchiveCorrupt/),
    );
  });

  test('a drill restores beside what is there, is measured and kept, and is a run as others are', async () => {
    const keyed = { 'idempotency-key': 'drill' };
    const body = { service: 'argus', rto: '30m', rpo: '1h' };
    const edit = { access: 'edit' } as const;
    const { status, json } = await ask('/api/drills', post(body, keyed), edit);
    expect(status).toBe(202);
    const runId = String(json.data.run_id);
    const again = await ask('/api/drills', post(body, keyed), edit);
    expect(again).toMatchObject({ status: 202, json: { data: { run_id: runId } } });
    expect(await ask('/api/drills', post({ ...body, rto: '1h' }, keyed), edit)).toMatchObject({
      status: 409,
    });
    const drill = {
      ...{ drill_id: runId, subject: 'argus', outcome: 'verified', backup: newest, missed: ['rpo'] },
      ...{ objectives: { rto_seconds: 1800, rpo_seconds: 3600 }, rto_seconds: expect.any(Number) },
      report: { outcome: 'verified' },
    };
    expect(await runIn(api, runId, ['completed'])).toMatchObject({ error: null, drill, dump: null });
    expect((await ask(`/api/data/restore_runs/${runId}`)).json.data).toMatchObject({
      ...{ source_type: 'drill', status: 'completed', progress: 100, records_imported: expect.any(Number) },
    });
    expect(await logOf(runId)).toContain('warn: The objective rpo is missed');
    // One that Temporal has forgotten before anybody wrote how it ended: what is kept of drills tells. Temporal takes
    // half a minute to delete one, so this is another, of which it never knew.
    const forgotten = `${runId}-forgotten`;
    await site.query(
      `insert into thaw.drills select (jsonb_populate_record(d, '{"drill_id": "${forgotten}"}')).*
       from thaw.drills d where drill_id = '${runId}'`,
      'postgres',
    );
    const client = await site.thaw.database.client();
    const running = { id: forgotten, status: 'running', state: 'running', completed_at: null };
    await client.query(
      `insert into thaw_api.restore_runs select (jsonb_populate_record(r, $2)).*
       from thaw_api.restore_runs r where id = $1`,
      [runId, running],
    );
    await client.end();
    await expect
      .poll(async () => (await ask(`/api/data/restore_runs/${forgotten}`)).json.data, { timeout: 20_000 })
      .toMatchObject({ status: 'completed', error: null, records_imported: expect.any(Number) });
    // The server is that of other tests, too, which have drills of another argus.
    const kept = expect.arrayContaining([expect.objectContaining({ drill_id: runId })]);
    for (const [path, access] of [
      ['/api/drills', 'read'],
      ['/api/drills?subject=argus', 'root'],
    ] as const) {
      const { data } = (await ask(path, {}, { access })).json;
      expect(data).toEqual(kept);
      const told = Array.isArray(data) ? data : [];
      expect(told.find(({ drill_id }) => drill_id === runId)).toMatchObject(drill);
    }
    expect((await ask('/api/drills?subject=x')).json.data).toEqual([]);
    const stranger = { tenant: 'other', access: 'full' } as const;
    expect((await ask('/api/drills', {}, stranger)).json.data).toEqual([]);
    for (const [wrong, refused, token] of [
      [{ service: 'argus' }, 400, stranger],
      [{ rto: 'soon' }, 400, edit],
      [{ before: 'now' }, 400, edit],
      [{ source_ref: 'latest' }, 400, edit],
      [{ tables: ['a'] }, 400, edit],
      [{ archives: site.thaw.database.name, service: 'argus' }, 400, { access: 'root' }],
      [{ archives: site.thaw.database.name }, 403, { access: 'full' }],
      [{ checks: ['true'] }, 403, { access: 'full' }],
      [{ restore_options: '--no-owner' }, 403, edit],
    ] as const) {
      expect({ wrong, status: (await ask('/api/drills', post(wrong), token)).status }).toEqual({
        wrong,
        status: refused,
      });
    }
  });

  test('drills of a service are scheduled, changed and taken away by its tenants, those of archives by root', async () => {
    // Names in Temporal are those of the whole test run.
    const service = `argus-${site.live.name}`;
    const [argus] = site.thaw.config.services;
    if (argus === undefined) throw new Error('the site has no service');
    const config = {
      ...site.thaw.config,
      services: [...site.thaw.config.services, { ...argus, name: service }],
    };
    const named = await listen(config);
    const at = '/api/drills/schedules';
    const put = (body: object) => ({ ...post(body), method: 'PUT' });
    const send = (init: RequestInit, token: Partial<NewToken> = {}, path = at) =>
      ask(path, init, token, named);
    const [stranger, edit, root] = [{ tenant: 'other' }, { access: 'edit' }, { access: 'root' }] as const;
    try {
      const body = { service, rto: '30m', rpo: '24h', cron: '30 4 * * 0', time_zone: 'Europe/Berlin' };
      const made = {
        ...{ subject: service, source: 'dump', cron: '30 4 * * 0', time_zone: 'Europe/Berlin', checks: 0 },
        ...{
          objectives: { rto_seconds: 1800, rpo_seconds: 86_400 },
          fallback: 0,
          is_paused: false,
          tables: null,
        },
        ...{ next_at: expect.stringMatching(/T0[23]:30:00\.000Z$/), allow_errors: false },
      };
      expect((await send(put(body))).json.data).toEqual(made);
      expect((await send({}, { access: 'read' })).json.data).toEqual([made]);
      expect((await send({}, stranger)).json.data).toEqual([]);
      const changed = await send(put({ service, cron: '@daily', checks: ['true'] }), root);
      const anew = { cron: '@daily', time_zone: 'UTC', checks: 1, objectives: { rto_seconds: null } };
      expect(changed).toMatchObject({ status: 200, json: { data: anew } });
      const handle = site.thaw.client.schedule.getHandle(`drill/${service}`);
      const { action } = await handle.describe();
      expect(action).toMatchObject({ workflowType: 'drill', taskQueue: site.thaw.temporal.taskQueue });

      const archives = { archives: site.thaw.database.name, tables: ['a'], cron: '0 4 * * *' };
      for (const [wrong, refused, token] of [
        [put(body), 403, edit],
        [put(body), 400, { ...stranger, access: 'full' }],
        // Root has it ask a statement, which is more than they may take away.
        [put(body), 403, {}],
        [put({ ...body, cron: '99 4 * * 0' }), 400, root],
        [put({ ...body, time_zone: 'Europe/Nowhere' }), 400, root],
        [put({ service }), 400, root],
        [put({ ...body, tables: ['a'] }), 400, root],
        [put(archives), 403, {}],
      ] as const) {
        const { status, json } = await send(wrong, token);
        expect({ wrong, status, error: json.error }).toMatchObject({ wrong, status: refused });
      }
      const one = `${at}/${encodeURIComponent(service)}`;
      for (const [token, refused] of [
        [edit, 403],
        [{}, 403],
        [stranger, 404],
        [root, 200],
        [root, 404],
      ] as const) {
        expect({ token, status: (await send({ method: 'DELETE' }, token, one)).status }).toEqual({
          ...{ token, status: refused },
        });
      }
      await expect(handle.describe()).rejects.toThrow();
      expect((await send({})).json.data).toEqual([]);

      const subject = String((await send(put(archives), root)).json.data.subject);
      expect(subject).toBe(`${site.thaw.database.name}/public.a`);
      const there = expect.arrayContaining([expect.objectContaining({ subject, tables: ['public.a'] })]);
      await expect
        .poll(async () => (await send({}, root)).json.data, { timeout: 20_000, interval: 100 })
        .toEqual(there);
      const other = `${at}/${encodeURIComponent(subject)}`;
      expect((await send({ method: 'DELETE' }, {}, other)).status).toBe(404);
      expect((await send({ method: 'DELETE' }, root, other)).status).toBe(200);
    } finally {
      await named.close();
    }
  });

  test('a system is restored for root, by its name, and a failed step waits for a decision', async () => {
    const root = { access: 'root' } as const;
    expect((await ask('/api/systems', {}, root)).json.data).toEqual([
      {
        ...{ name: 'opareta', checklist: ['Tell everybody'] },
        databases: [{ service: 'argus', dump: 'latest', after: [] }],
      },
    ]);
    const path = '/api/systems/opareta/restore';
    expect((await ask(path, { method: 'POST' })).status).toBe(403);
    expect((await ask('/api/restores', post({ source_type: 'system', source_ref: 'opareta' }))).status).toBe(
      403,
    );
    expect((await ask('/api/systems/x/restore', { method: 'POST' }, root)).status).toBe(404);
    expect((await ask(path, post({ run: 'ls' }), root)).status).toBe(400);
    const keyed = { method: 'POST', headers: { 'idempotency-key': 'system' } };
    const { status, json } = await ask(path, keyed, root);
    expect(status).toBe(202);
    const runId = String(json.data.run_id);
    expect((await ask(path, keyed, root)).json.data.run_id).toBe(runId);
    await expect
      .poll(async () => (await ask(`/api/runs/${runId}`, {}, root)).json.data.system, { timeout: 60_000 })
      .toMatchObject({ name: 'opareta', waiting: [{ step: 'stop:1' }] });
    const decide = (body: object, token: Partial<NewToken> = root) =>
      ask(`/api/runs/${runId}/decide`, post(body), token);
    expect((await decide({ step: 'stop:1', action: 'skip' }, {})).status).toBe(403);
    expect((await decide({ step: 'stop:1', action: 'run' })).status).toBe(400);
    expect((await decide({ step: 'stop:9', action: 'skip' })).status).toBe(409);
    expect((await decide({ step: 'stop:1', action: 'skip' })).status).toBe(200);
    const run = await runIn(api, runId, ['completed']);
    expect(await site.content()).toBe(content);
    expect(run).toMatchObject({
      ...{ database: 'opareta', progress: 100, archives: { done: 1, total: 1 } },
      system: {
        steps: expect.arrayContaining([expect.objectContaining({ step: 'stop:1', state: 'skipped' })]),
        databases: [{ service: 'argus', live: 'new', key: newest, verified: 'verified' }],
      },
    });
    expect(JSON.stringify(run)).not.toContain('test -e');
    expect(await logOf(runId)).toContain('info: stop:1: skip, decided by tester');
    expect((await decide({ step: 'stop:1', action: 'skip' })).status).toBe(409);
  });

  test('who may not replace may load, and a tenant sees its own services only', async () => {
    const body = { source_type: 'dump', source_ref: 'tar.tar.gz', service: 'argus' };
    const asked = async (changes: object, token: Partial<NewToken>) => {
      const { status, json } = await ask('/api/restores', post({ ...body, ...changes }), token);
      if (status === 202)
        await ask(`/api/runs/${json.data.run_id}/cancel`, { method: 'POST' }, { access: 'root' });
      return status;
    };
    const [edit, full] = [{ access: 'edit' }, { access: 'full' }] as const;
    const load = { mode: 'into-existing' };
    const other = site.thaw.database.name;
    for (const [changes, refused] of [
      [{}, edit],
      [{ mode: 'recreate' }, edit],
      [{ clean: true }, edit],
      [{ restore_options: '--clean --if-exists' }, edit],
      [{ ...load, owner: 'postgres' }, edit],
      [{ ...load, restore_options: '--no-owner' }, edit],
      [{ ...load, checks: ['true'] }, full],
      [{ ...load, check_urls: ['http://127.0.0.1/'] }, full],
      [{ ...load, into: other }, full],
      [{ ...load, into: 'postgres' }, full],
    ] as const) {
      expect({ changes, status: await asked(changes, refused) }).toEqual({ changes, status: 403 });
    }
    expect(await asked({ ...load, into: `${site.live.name}_new`, create: true }, edit)).toBe(202);
    const stranger = { tenant: 'other', access: 'full' } as const;
    const strange = await ask('/api/restores', post(body), stranger);
    expect(strange).toMatchObject({
      status: 400,
      json: {
        error: 'service: is not configured (got "argus")',
        data: { hint: 'No service is for this tenant.' },
      },
    });
    expect(await asked({ service: other }, full)).toBe(400);
    expect((await ask('/api/data/restores', post({ name: 'x', ...saved(body) }), stranger)).status).toBe(400);
  });
});

function saved({ service, ...rest }: { readonly service: string }) {
  return { ...rest, options: { service } };
}
