import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleFixture, recordsOf } from './bundle-fixture.ts';
import { type BundleSite, createBundleSite } from './bundle-site.ts';

let site: BundleSite;
let slack: Record<string, string>;

beforeAll(async () => {
  site = await createBundleSite('bundle');
  slack = await bundleFixture('slack');
});

afterAll(() => site.close());

/** A model's records as JSON, as they were in the bundle: without what PostgreSQL writes otherwise. */
async function recordsIn(namespace: string, model: string): Promise<Record<string, unknown>[]> {
  const records = await site.rows(`select * from ${namespace}.${model} order by id`);
  return records.map((record) =>
    Object.fromEntries(
      Object.entries(record).map(([key, value]) => [
        key,
        // timestamps have no zone in PostgreSQL, and milliseconds only where there are any
        key.endsWith('_at') && typeof value === 'string' ? new Date(`${value}Z`).toISOString() : value,
      ]),
    ),
  );
}

/** What is in the file, with numbers as PostgreSQL gives them. */
function sent(model: string): Record<string, unknown>[] {
  return recordsOf(slack[`${model}.jsonl`] ?? '').map((record) =>
    model === 'messages' ? { ...record, size: Number(record.size) } : record,
  );
}

test('a bundle of the source system comes in whole, and the run tells how', async () => {
  const run = await site.restore(slack, { namespace: 'fresh' });
  expect(run).toMatchObject({
    status: 'completed',
    state: 'completed',
    progress: 100,
    error: null,
    progressDetail: { phase: 'importing_data', files_total: 4, files_completed: 4, records_imported: 19 },
    counts: {
      recordsImported: 19,
      recordsUpdated: 0,
      recordsSkipped: 0,
      modelsCreated: 4,
      fieldsCreated: 19,
    },
  });
  for (const model of ['users', 'channels', 'messages', 'drafts']) {
    expect(await recordsIn('fresh', model)).toEqual(sent(model));
  }
  expect(await site.rows('select max(size)::text as size from fresh.messages')).toEqual([
    { size: '9007199254741005' },
  ]);
  expect(await site.rows("select to_regclass('fresh.extract_runs') as found")).toEqual([{ found: null }]);
  const log = await site.log(run.id);
  expect(log.map(({ phase, model, message }) => [phase, model, message])).toEqual(
    expect.arrayContaining([
      ['upload', null, 'Opened bundle.zip'],
      ['validation', null, 'Found 4 models and 4 data files to restore'],
      ['validation', 'extract_runs', 'Skipping model (the source system keeps it for itself)'],
      ['describe_import', 'channels', 'Created model'],
      ['describe_import', 'channels', 'Created field: owner_id'],
      ['data_import', 'messages', 'Imported 12 records, skipped 0, updated 0'],
      [null, null, 'Restore completed successfully'],
    ]),
  );
  expect(log.filter(({ level }) => level !== 'info').map(({ model }) => model)).toEqual(['extract_runs']);
});
