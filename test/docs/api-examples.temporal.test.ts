import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningApi } from '../../src/api/server.ts';
import { quoteIdentifier } from '../../src/postgres/identifier.ts';
import { type ApiSite, createApiSite, runIn, send } from '../api/api-site.ts';
import { type Answer, post } from '../api/fake-restores.ts';
import { bundleZip } from '../bundle/bundle-fixture.ts';
import { thawHere } from '../cli/thaw-here.ts';
import { hasClientPrograms, pgDump } from '../harness/client-programs.ts';
import { asAdministrator } from '../harness/postgres.ts';
import { testToken, tokenEnv } from '../harness/token.ts';
import { codeBlocks, readDocument } from './markdown.ts';
import { hasCurl, runShell } from './shell.ts';
import { shellWords, wholeLines } from './shell-words.ts';

const document = readDocument('docs/api.md');
const blocks = codeBlocks(document);

let site: ApiSite;
let api: RunningApi;
let folder: string;
/** What the reader knows by now: `THAW_TOKEN`, and from answers `ID`, `RUN_ID`, `EXTRACT_ID`, `SNAPSHOT_ID`. */
let known: Record<string, string>;

beforeAll(async () => {
  site = await createApiSite('api_examples');
  api = await site.listen();
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-api-examples-'));
  await writeFile(path.join(folder, 'Dev-Data-2025-01-19.zip'), await bundleZip('slack'));
  known = { THAW_TOKEN: await testToken() };
  if (!hasClientPrograms) return;
  const { bucket, database } = site.thaw;
  const dump = gzipSync(await pgDump(database, '--table=public.audit_logs'));
  await bucket.put(`archives/dumps/${database.name}-2025-01-19T08-42-31-456Z.sql.gz`, dump);
});

afterAll(async () => {
  const { rows } = await site.thaw.pg.query<{ datname: string }>(
    'select datname from pg_database where starts_with(datname, $1)',
    [`${site.thaw.database.name}_check`],
  );
  await site.close();
  for (const { datname } of rows) {
    await asAdministrator(`drop database if exists ${quoteIdentifier(datname)} with (force)`);
  }
  await rm(folder, { recursive: true, force: true });
});

type Json = Answer['json'];

/** Waits for the end of what was started last. */
async function lastRunEnded(kind = 'restore_runs'): Promise<void> {
  if (known.RUN_ID === undefined) return;
  const status = async () => (await send(api, `/api/data/${kind}/${known.RUN_ID}`)).json.data.status;
  await expect.poll(status, { timeout: 40_000, interval: 100 }).toMatch(ended);
}

/** Without programs of PostgreSQL a dump is not restored. */
const ended = hasClientPrograms ? /completed|cancelled/ : /completed|cancelled|failed/;

/** Restores the dump again into the database that an example has made: the one before is kept. */
async function replaceChecked(): Promise<void> {
  await lastRunEnded();
  const service = site.thaw.database.name;
  const dump = { source_type: 'dump', source_ref: 'latest', service, into: `${service}_check` };
  const { json } = await send(api, '/api/restores', post(dump));
  await runIn(api, String(json.data.run_id), ['completed']);
}

/** Waits until the snapshot lies in the store. */
async function snapshotTaken(): Promise<void> {
  const status = async () => (await send(api, `/api/snapshots/${known.SNAPSHOT_ID}`)).json.data.status;
  await expect.poll(status, { timeout: 40_000, interval: 100 }).toBe('completed');
}

/** Leaves a run that can be taken back. */
async function restoreUndoably(): Promise<void> {
  const options = { database: site.thaw.database.name, table: 'audit_logs', ignore_watermark: true };
  const { json } = await send(api, '/api/restores', post({ ...options, undoable: true }));
  known.RUN_ID = String(json.data.run_id);
  await runIn(api, known.RUN_ID, ['completed']);
}

/** Brings about what the text before an example takes for granted. */
async function prepare(line: string): Promise<void> {
  if (/\/api\/restores(\/|$| )/.test(line)) await lastRunEnded();
  if (line.includes('/download')) await lastRunEnded('extract_runs');
  if (line.includes('/swap-back')) await replaceChecked();
  if (line.includes('$SNAPSHOT_ID')) await snapshotTaken();
  if (line.includes('/undo')) await restoreUndoably();
  if (!line.includes('/pause')) return;
  await lastRunEnded();
  await site.thaw.pg.query('truncate public.audit_logs');
  await site.holdTable();
  const options = { database: site.thaw.database.name, table: 'audit_logs', ignore_watermark: true };
  const { json } = await send(api, '/api/restores', post(options));
  known.RUN_ID = String(json.data.run_id);
  await runIn(api, known.RUN_ID, ['running']);
}

/** Nothing is swapped where no dump was restored. */
function isPossible(line: string): boolean {
  return hasClientPrograms || !line.includes('/swap-back');
}

/** Runs an example, and keeps the ids that it is answered with. */
async function example(line: string): Promise<string> {
  await prepare(line);
  const here = line
    .replaceAll('http://127.0.0.1:9001', api.url)
    .replaceAll('production_db', site.thaw.database.name);
  const printed = await runShell(here, folder, known);
  if (!printed.startsWith('{')) return printed;
  const { success, data } = JSON.parse(printed) as Json;
  expect({ line, printed, success }).toMatchObject({ success: true });
  if (data.run_id !== undefined) known.RUN_ID = String(data.run_id);
  if (data.snapshot_id !== undefined) known.SNAPSHOT_ID = String(data.snapshot_id);
  if (line.includes('/api/data/restores')) known.ID = String(data.id);
  if (line.includes('/api/data/extracts')) known.EXTRACT_ID = String(data.id);
  return printed;
}

/** Names of the fields of an answer, and of those of its data. */
function fieldsOf(text: string): string[] {
  const { data, ...envelope } = JSON.parse(text) as Json;
  return [...Object.keys(envelope), ...Object.keys(data)].sort();
}

test.skipIf(!hasCurl)(
  'every example does what it says, and is answered with what stands below it',
  {
    timeout: 120_000,
  },
  async () => {
    let printed = '';
    let ran = 0;
    for (const { language, text } of blocks) {
      if (language === 'sh') {
        printed = '';
        for (const line of wholeLines(text).filter((line) => line.startsWith('curl ') && isPossible(line))) {
          printed = await example(line);
          ran += 1;
        }
      } else if (printed !== '' && language === 'json') {
        expect(fieldsOf(printed)).toEqual(fieldsOf(text));
      } else if (printed !== '') {
        const names = (events: string) => new Set(events.match(/^event: \w+$/gm));
        expect(names(printed)).toEqual(names(text));
        expect(printed).toMatch(/^id: end$/m);
      }
      if (text.includes('/resume')) {
        expect(await runIn(api, known.RUN_ID ?? '', ['cancelled'])).toMatchObject({ state: 'cancelled' });
        await site.releaseTable();
      }
    }
    expect(ran).toBeGreaterThan(13);
    expect(await readdir(folder)).toContainEqual(expect.stringMatching(/^My-Dev-Data-.*\.zip$/));
  },
);

test('a token that `thaw token` makes is taken, as it stands in the document', async () => {
  const [, command = ''] = /^export THAW_TOKEN=\$\(thaw (.*)\)$/m.exec(document) ?? [];
  const { exitCode, stdout } = await thawHere(shellWords(command), tokenEnv);
  expect(exitCode).toBe(0);
  const headers = { authorization: `Bearer ${stdout.trim()}` };
  expect((await fetch(`${api.url}/api/data/restores`, { headers })).status).toBe(200);
});

test('a wrong setting is answered as the document shows', async () => {
  const shown = blocks.find(({ text }) => text.includes('"validation_errors"'))?.text ?? '';
  const answer = await send(api, '/api/restores', post({ table: 'audit_logs', lanes: 0 }));
  expect(answer).toMatchObject({ status: 400, json: JSON.parse(shown) });
});
