import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningApi } from '../../src/api/server.ts';
import { type ApiSite, createApiSite, send } from '../api/api-site.ts';
import type { Answer } from '../api/fake-restores.ts';
import { bundleZip, withManifest } from '../bundle/bundle-fixture.ts';
import { makeZip } from '../bundle/zip-writer.ts';
import { testToken } from '../harness/token.ts';
import { hasCurl, runShell } from './shell.ts';

let site: ApiSite;
let api: RunningApi;
let folder: string;

beforeAll(async () => {
  site = await createApiSite('workflows');
  // As of thaw dev: several databases are configured, and the lines of the document name none.
  const { config, database } = site.thaw;
  const [own] = config.databases;
  if (own === undefined) throw new Error('a database is configured');
  const databases = [{ ...own, name: 'elsewhere', port: 1 }, own];
  api = await site.listen({ config: { ...config, databases }, env: { THAW_BUNDLE_DATABASE: database.name } });
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-workflows-'));
});

afterAll(async () => {
  await site?.close();
  await rm(folder, { recursive: true, force: true });
});

type Data = Answer['json']['data'];

/** A token of the one tenant for a schema. */
function tokenOf(namespace: string): Promise<string> {
  return testToken({ tenant: 'flows', namespace, access: 'full' });
}

/** Runs lines of the API's document as they stand, but for host and ids. */
async function curl(
  lines: string,
  ids: Readonly<Record<string, string>>,
  variables: Readonly<Record<string, string>>,
): Promise<string> {
  let text = lines.replaceAll('http://localhost:9001', api.url);
  for (const [there, here] of Object.entries(ids)) text = text.replaceAll(there, here);
  return runShell(text, folder, variables);
}

/** The data of an answer that is a success. */
function dataOf(printed: string): Data {
  const answer = JSON.parse(printed) as Answer['json'];
  expect(answer).toMatchObject({ success: true });
  return answer.data;
}

/** Asks for the record of a run until it has ended. */
async function ended(statusUrl: unknown): Promise<Data> {
  const record = async () => (await send(api, String(statusUrl))).json.data;
  await expect
    .poll(async () => (await record()).status, { timeout: 40_000, interval: 100 })
    .toMatch(/completed|failed|cancelled/);
  return record();
}

/** The log of a run by the documented filters. */
async function logOf(runId: unknown, filter = ''): Promise<Data[]> {
  const { json } = await send(api, `/api/data/restore_logs?filter[where][run_id]=${runId}${filter}`);
  return json.data as unknown as Data[];
}

/** All rows of a table, as text that says everything of them. */
async function rowsOf(table: string): Promise<unknown[]> {
  const { rows } = await site.thaw.pg.query(`select to_jsonb(t)::text as row from ${table} as t order by id`);
  return rows;
}

function id(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

function jsonl(records: readonly object[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}

async function put(name: string, files: Record<string, string>): Promise<void> {
  await writeFile(path.join(folder, name), await makeZip(withManifest(files)));
}

const accepted = {
  message: 'Restore queued for execution',
  status_url: expect.stringMatching(/^\/api\/data\/restore_runs\//),
};

describe.skipIf(!hasCurl)('the complete workflows of the API document', () => {
  test('1: what was exported comes back into a fresh database', async () => {
    const TOKEN = await tokenOf('dev_data');
    await writeFile(path.join(folder, 'seed.zip'), await bundleZip('slack'));
    const seed =
      'curl http://localhost:9001/api/restores/import -H "Authorization: Bearer $TOKEN" -F file=@seed.zip';
    await ended(dataOf(await curl(seed, {}, { TOKEN })).status_url);
    const models = ['users', 'channels', 'messages', 'drafts'];
    const rows = async () => {
      const all: unknown[] = [];
      for (const model of models) all.push(...(await rowsOf(`dev_data.${model}`)));
      return all;
    };
    const before = await rows();
    expect(before).toHaveLength(19);

    const extract = `curl -X POST http://localhost:9001/api/data/extracts \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{
    "name": "My Dev Data",
    "enabled": true
  }'`;
    const { id: extractId } = dataOf(await curl(extract, {}, { TOKEN }));
    const run = `curl -X POST http://localhost:9001/api/extracts/extract_abc/run \\
  -H "Authorization: Bearer $TOKEN"`;
    const extracted = dataOf(await curl(run, { extract_abc: String(extractId) }, { TOKEN }));
    expect(await ended(extracted.status_url)).toMatchObject({ status: 'completed', records_exported: 19 });
    const download = `curl -O http://localhost:9001/api/extracts/runs/run_xyz/download \\
  -H "Authorization: Bearer $TOKEN"`;
    const ids = { run_xyz: String(extracted.run_id) };
    await curl(download, ids, { TOKEN });
    // Under -O curl takes the name from the URL, whatever the answer says; under -OJ the one that the answer says.
    await curl(download.replace('-O', '-OJ'), ids, { TOKEN });
    expect(await readdir(folder)).toContainEqual(
      expect.stringMatching(/^My-Dev-Data-\d{4}-\d\d-\d\d-[\w-]{1,8}\.zip$/),
    );
    await rename(path.join(folder, 'download'), path.join(folder, 'My-Dev-Data-2025-01-19-run_xyz.zip'));

    await site.thaw.pg.query('drop schema dev_data cascade');
    const restore = `curl -X POST http://localhost:9001/api/restores/import \\
  -H "Authorization: Bearer $TOKEN" \\
  -F "file=@My-Dev-Data-2025-01-19-run_xyz.zip" \\
  -F "conflict_strategy=replace"`;
    const imported = dataOf(await curl(restore, {}, { TOKEN }));
    expect(imported).toMatchObject(accepted);
    await ended(imported.status_url);
    const check = `curl http://localhost:9001/api/data/restore_runs/run_def456 \\
  -H "Authorization: Bearer $TOKEN"`;
    expect(dataOf(await curl(check, { run_def456: String(imported.run_id) }, { TOKEN }))).toMatchObject({
      ...{ status: 'completed', progress: 100, records_imported: 19, models_created: 4, error: null },
    });
    expect(await rows()).toEqual(before);
  });

  test('2: a package brings its models and seed data, and changes no data that was there', async () => {
    const TOKEN = await tokenOf('tenant');
    await site.thaw.pg.query(`create schema tenant; create table tenant.users (id uuid primary key, name text);
      insert into tenant.users values ('${id(1)}', 'mine')`);
    await put('monk-slack-v1.0.0.zip', {
      'describe.yaml': `
channels: { fields: { name: { type: text, required: true, unique: true } } }
messages: { fields: { body: { type: text }, channel: { type: uuid, relationship_type: owned, related_model: channels } } }
users: { fields: { name: { type: text }, handle: { type: text } } }
`,
      'channels.jsonl': jsonl([{ id: id(10), name: 'general' }]),
      'messages.jsonl': jsonl([{ id: id(20), body: 'Welcome', channel: id(10) }]),
      'users.jsonl': jsonl([{ id: id(1), name: 'theirs', handle: 'x' }]),
    });
    const install = `curl -X POST http://localhost:9001/api/restores/import \\
  -H "Authorization: Bearer $TOKEN" \\
  -F "file=@monk-slack-v1.0.0.zip" \\
  -F "conflict_strategy=merge"`;
    const run = await ended(dataOf(await curl(install, {}, { TOKEN })).status_url);
    expect(run).toMatchObject({
      ...{ status: 'completed', models_created: 2, fields_created: 4 },
      ...{ records_imported: 2, records_skipped: 1, records_updated: 0 },
    });
    const { rows } = await site.thaw.pg.query(
      `select m.body, c.name from tenant.messages as m join tenant.channels as c on c.id = m.channel`,
    );
    expect(rows).toEqual([{ body: 'Welcome', name: 'general' }]);
    const users = await site.thaw.pg.query('select * from tenant.users');
    expect(users.rows).toEqual([{ id: id(1), name: 'mine', handle: null }]);
    expect((await logOf(run.id)).map(({ model_name, message }) => [model_name, message])).toEqual(
      expect.arrayContaining([
        ['channels', 'Created model'],
        ['users', 'Created field: handle'],
        ['users', 'Skipped 1 records (model exists, merge strategy)'],
      ]),
    );
  });

  test('3: a sandbox gives its parent what is new, and nothing else', async () => {
    const SANDBOX_TOKEN = await tokenOf('sandbox');
    const PARENT_TOKEN = await tokenOf('parent');
    await site.thaw.pg.query(`
      create schema parent; create table parent.tasks (id uuid primary key, title text);
      insert into parent.tasks values ('${id(1)}', 'production');
      create schema sandbox; create table sandbox.tasks (id uuid primary key, title text, effort integer);
      insert into sandbox.tasks values ('${id(1)}', 'changed', 1), ('${id(2)}', 'training', 2);
      create table sandbox.projects (id uuid primary key, name text);
      insert into sandbox.projects values ('${id(3)}', 'Thaw')`);
    const save = `curl http://localhost:9001/api/data/extracts -H "Authorization: Bearer $SANDBOX_TOKEN" \\
      -H "Content-Type: application/json" -d '{"name": "Sandbox Changes"}'`;
    const { id: extractId } = dataOf(await curl(save, {}, { SANDBOX_TOKEN }));
    const run = `curl -X POST http://localhost:9001/api/extracts/sandbox_export/run \\
  -H "Authorization: Bearer $SANDBOX_TOKEN"`;
    const extracted = dataOf(await curl(run, { sandbox_export: String(extractId) }, { SANDBOX_TOKEN }));
    await ended(extracted.status_url);
    const download = `curl -O http://localhost:9001/api/extracts/runs/run_sandbox/download \\
  -H "Authorization: Bearer $SANDBOX_TOKEN"`;
    await curl(download, { run_sandbox: String(extracted.run_id) }, { SANDBOX_TOKEN });
    await rename(path.join(folder, 'download'), path.join(folder, 'Sandbox-Changes.zip'));

    const merge = `curl -X POST http://localhost:9001/api/restores/import \\
  -H "Authorization: Bearer $PARENT_TOKEN" \\
  -F "file=@Sandbox-Changes.zip" \\
  -F "conflict_strategy=sync"`;
    const merged = await ended(dataOf(await curl(merge, {}, { PARENT_TOKEN })).status_url);
    expect(merged).toMatchObject({
      ...{ status: 'completed', models_created: 1, records_imported: 2, records_skipped: 1 },
    });
    const tasks = await site.thaw.pg.query('select id, title, effort from parent.tasks order by id');
    expect(tasks.rows).toEqual([
      { id: id(1), title: 'production', effort: null },
      { id: id(2), title: 'training', effort: 2 },
    ]);
    expect((await site.thaw.pg.query('select id, name from parent.projects')).rows).toEqual([
      { id: id(3), name: 'Thaw' },
    ]);
    const skipped = (await logOf(merged.id)).filter(({ record_id }) => record_id !== null);
    expect(skipped).toEqual([
      {
        ...{ id: expect.any(String), run_id: merged.id, level: 'info', phase: 'data_import' },
        ...{ model_name: 'tasks', record_id: id(1), message: 'Skipped existing record (sync strategy)' },
        ...{ detail: { reason: 'record_exists_in_parent' }, created_at: expect.any(String) },
      },
    ]);
  });
});

describe.skipIf(!hasCurl)('the strategies of the API document', () => {
  const old = { id: id(1), name: 'old' };
  const mine = { id: id(9), name: 'mine' };
  const [changed, added] = [
    { id: id(1), name: 'new' },
    { id: id(2), name: 'added' },
  ];

  test.each([
    ['replace', 'backup.zip', [changed, added], { records_deleted: 2, records_imported: 3 }],
    ['upsert', 'backup.zip', [changed, added, mine], { records_updated: 1, records_imported: 2 }],
    ['merge', 'monk-slack-v1.0.0.zip', [old, mine], { records_skipped: 2, records_imported: 1 }],
    ['sync', 'sandbox-export.zip', [old, added, mine], { records_skipped: 1, records_imported: 2 }],
    ['skip', 'backup.zip', [old, added, mine], { records_skipped: 1, records_imported: 2 }],
    ['error', 'package.zip', [old, mine], { status: 'failed', records_imported: 0, models_created: 0 }],
  ])('%s', async (strategy, file, things, run) => {
    const schema = `strategy_${strategy}`;
    const TOKEN = await tokenOf(schema);
    await site.thaw.pg.query(`create schema ${schema}; create table ${schema}.things (id uuid primary key, name text);
      insert into ${schema}.things values ('${old.id}', '${old.name}'), ('${mine.id}', '${mine.name}')`);
    await put(file, {
      'describe.yaml':
        '{ things: { fields: { name: { type: text } } }, fresh: { fields: { name: { type: text } } } }',
      'things.jsonl': jsonl([changed, added]),
      'fresh.jsonl': jsonl([{ id: id(5), name: 'of a new model' }]),
    });
    const example = `curl -X POST http://localhost:9001/api/restores/import \\
  -H "Authorization: Bearer $TOKEN" \\
  -F "file=@${file}" \\
  -F "conflict_strategy=${strategy}"`;
    const ran = await ended(dataOf(await curl(example, {}, { TOKEN })).status_url);
    expect(ran).toMatchObject({ status: 'completed', models_created: 1, ...run });
    const { rows } = await site.thaw.pg.query(`select id, name from ${schema}.things order by id`);
    expect(rows).toEqual(things);
    const { rows: fresh } = await site.thaw.pg.query(`select to_regclass('${schema}.fresh') as there`);
    expect(fresh).toEqual([{ there: strategy === 'error' ? null : `${schema}.fresh` }]);
    if (strategy !== 'error') return;

    expect(ran).toMatchObject({
      error: `things: record ${old.id} already exists (error strategy).`,
      error_detail: expect.stringMatching(/ConflictFound[\s\S]*\n\s+at /),
    });
    const failed = await send(api, '/api/data/restore_runs?filter[where][status]=failed');
    expect(failed.json.data).toMatchObject([{ id: ran.id, status: 'failed' }]);
    expect(await logOf(ran.id, '&filter[where][level]=error')).toMatchObject([
      { phase: 'data_import', record_id: old.id, message: 'Record already exists (error strategy)' },
      { message: expect.stringMatching(/^Restore failed: /) },
    ]);
  });
});
