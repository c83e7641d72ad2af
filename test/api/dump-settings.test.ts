import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load-config.ts';
import { post, read, testApp } from './fake-restores.ts';

const config = parseConfig(
  'version: "1.0"\nservices: [{ name: argus, database: argus_db, dumps: { folder: /backups } }]\n',
  '/etc/thaw/config.yaml',
  {},
);

async function fault(path: string, body: object): Promise<string> {
  const { status, json } = await read(await testApp({ config }).request(path, post(body)));
  expect({ body, status }).toEqual({ body, status: 400 });
  return String(json.error);
}

test.each([
  [{ service: 'hermes' }, 'service: is not configured (got "hermes")'],
  [{ service: 7 }, 'service: must be text (got 7)'],
  [{ before: 'yesterday' }, 'before: must be a time such as 2026-01-04T12:00:00Z (got "yesterday")'],
  [{ fallback: -1 }, 'fallback: must be a whole number from 0 to 1000 (got -1)'],
  [{ mode: 'merge' }, 'mode: must be swap, recreate or into-existing (got "merge")'],
  [{ into: 'x'.repeat(64) }, `into: must have at most 63 bytes (got "${'x'.repeat(64)}")`],
  [{ create: 'yes' }, 'create: must be true or false (got "yes")'],
  [{ owner: '' }, 'owner: must not be empty (got "")'],
  [{ keep_old: '1 day' }, 'keep_old: must be a time such as 90m, 24h or 7d, or 0 (got "1 day")'],
  [{ only_tables: ['a.b.c'] }, 'only_tables.0: must be table or schema.table'],
  [{ only_schemas: 'shop' }, 'only_schemas: must be a list of schemas (got "shop")'],
  [{ sections: ['all'] }, 'sections.0: must be pre-data, data or post-data'],
  [{ data_only: 1 }, 'data_only: must be true or false (got 1)'],
  [{ schema_only: 1 }, 'schema_only: must be true or false (got 1)'],
  [{ clean: 1 }, 'clean: must be true or false (got 1)'],
  [{ restore_options: '--file=/etc/passwd' }, '--file'],
  [{ restore_options: '--dbname=other' }, '--dbname'],
  [{ restore_options: '; rm -rf /' }, 'restore_options'],
  [{ jobs: 0 }, 'jobs: must be a whole number from 1 to 999 (got 0)'],
  [{ allow_errors: 1 }, 'allow_errors: must be true or false (got 1)'],
  [{ checks: 'true' }, 'checks: must be a list of statements (got "true")'],
  [{ check_urls: ['ftp://x'] }, 'check_urls.0: must be an http or https URL'],
  [{ data_only: true, schema_only: true }, '--schema-only'],
  [{ data_only: true, mode: 'swap' }, 'A part of a dump never replaces a database'],
  [{ colour: 'red' }, 'colour: is not known'],
  [{ dry_run: 'yes' }, 'dry_run: must be true or false (got "yes")'],
])('%o is 400, once and saved', async (options, expected) => {
  const ref = { source_type: 'dump', source_ref: 'latest' };
  expect(await fault('/api/restores', { ...ref, ...options })).toContain(expected);
  const saved = await fault('/api/data/restores', { name: 'x', ...ref, options });
  expect(saved).toContain(expected.replace(/^(\w+(\.\d)?):/, 'options.$1:'));
});

test.each([
  [{ source_ref: undefined }, 'source_ref: is required'],
  [
    { source_ref: '/var/backups/a.dump' },
    'source_ref: must be latest or the key of a dump, never a path of a file',
  ],
  [{ source_ref: '../a.dump' }, 'source_ref: must be latest or the key of a dump, never a path of a file'],
  [{ source_ref: 'a.dump', before: '2026-01-04T12:00:00Z' }, 'belongs to the source_ref latest only'],
  [
    { conflict_strategy: 'skip' },
    'conflict_strategy: must be "replace" for dumps, of which options choose parts',
  ],
  [{ include: ['data'] }, 'include: must be ["describe","data"] for dumps, of which options choose parts'],
  [{ models: ['a'] }, 'models: must be null for dumps, of which options choose parts'],
  [{ create_models: false }, 'create_models: must be true for dumps, of which options choose parts'],
])('%o is 400', async (changes, expected) => {
  expect(await fault('/api/restores', { source_type: 'dump', source_ref: 'latest', ...changes })).toContain(
    expected,
  );
});
