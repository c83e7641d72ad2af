// Sends generated requests, sensible and not, to a running API and compares every answer with its OpenAPI
// description: none may be a 5xx or one that is not documented. By schemathesis, https://schemathesis.readthedocs.io
//
//   npx thaw dev &
//   set -a; . .thaw/env; set +a
//   node scripts/fuzz-api.mjs [--examples 50] [--seed 1] [--database production_db]
//
// It saves, runs and deletes: never against an installation that is used. Needs python3 with venv, once also PyPI.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const version = '4.32.5';
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'ignored_auth',
  'unsupported_method',
  'allow_header_conformance',
];

const { THAW_API_URL: url, THAW_API_TOKEN: token } = process.env;
if (!url || !token) {
  process.stderr.write('Set THAW_API_URL and THAW_API_TOKEN, as the file env of `thaw dev` has them.\n');
  process.exit(1);
}
const { values } = parseArgs({
  options: {
    examples: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    database: { type: 'string', default: 'production_db' },
  },
});

const place = path.join(
  process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'),
  'thaw',
  `schemathesis-${version}`,
);
const fuzzer = path.join(place, 'bin', 'schemathesis');
if (!existsSync(fuzzer)) {
  run('python3', ['-m', 'venv', place]);
  run(path.join(place, 'bin', 'pip'), ['install', '--quiet', `schemathesis==${version}`]);
}
const folder = mkdtempSync(path.join(tmpdir(), 'thaw-fuzz-'));
const config = path.join(folder, 'schemathesis.toml');
writeFileSync(config, configOf(await makeRecords()));
run(fuzzer, [
  ...['--config-file', config],
  'run',
  `${url}/openapi.json`,
  ...['--header', `Authorization: Bearer ${token}`],
  ...['--checks', checks.join(',')],
  ...['--phases', 'examples,coverage,fuzzing,stateful'],
  ...['--max-examples', values.examples, '--seed', values.seed],
  ...['--continue-on-failure', '--request-timeout', '30', '--no-color'],
]);

/** Makes an extract, its bundle and a restore of it, and a snapshot, so that requests meet something. */
async function makeRecords() {
  const database = values.database;
  const extract = await ask('/api/data/extracts', { name: 'fuzzed', options: { database } });
  const extractRun = await ask(`/api/extracts/${extract.id}/run`, {});
  for (let status = ''; status !== 'completed'; await sleep(200)) {
    ({ status } = await ask(`/api/data/extract_runs/${extractRun.run_id}`));
    if (status === 'failed') throw new Error(`the extract failed: ${extractRun.run_id}`);
  }
  const source = { source_type: 'extract_run', source_ref: extractRun.run_id };
  const restore = await ask('/api/data/restores', { name: 'fuzzed', ...source, options: { database } });
  const restoreRun = await ask(`/api/restores/${restore.id}/run`, {});
  const { snapshot_id: snapshot } = await ask('/api/snapshots', { database, tables: ['thaw_api.extracts'] });
  for (let status = ''; status !== 'completed'; await sleep(200)) {
    ({ status } = await ask(`/api/snapshots/${snapshot}`));
    if (status === 'failed') throw new Error(`the snapshot failed: ${snapshot}`);
  }
  return {
    snapshot,
    extract: extract.id,
    extractRun: extractRun.run_id,
    restore: restore.id,
    restoreRun: restoreRun.run_id,
  };
}

async function ask(where, body) {
  const answer = await fetch(`${url}${where}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  const { data, error } = await answer.json();
  if (!answer.ok) throw new Error(`${where}: ${error}`);
  return data;
}

/** Which id stands in which path. */
function configOf({ snapshot, extract, extractRun, restore, restoreRun }) {
  const places = [
    ['/api/data/extracts/.id.$', 'id', extract],
    ['/api/extracts/.id.', 'id', extract],
    ['/api/data/extract_runs/.runId.$', 'runId', extractRun],
    ['/api/extracts/runs/', 'runId', extractRun],
    ['/api/data/restores/.id.$', 'id', restore],
    ['/api/restores/.id.', 'id', restore],
    ['/api/data/restore_runs/.runId.$', 'runId', restoreRun],
    ['/api/runs/', 'runId', restoreRun],
    ['/api/snapshots/.id.', 'id', snapshot],
  ];
  return places
    .map(
      ([where, name, id]) =>
        `[[operations]]\ninclude-path-regex = "^${where}"\nexclude-method = "DELETE"\nparameters = { "path.${name}" = "${id}" }\n`,
    )
    .join('\n');
}

/** Runs a program, and ends with its exit code when that is not 0. */
function run(program, args) {
  // What the fuzzer remembers between runs lies where it is forgotten.
  const { status } = spawnSync(program, args, { cwd: tmpdir(), stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
