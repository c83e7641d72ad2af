import { afterAll, beforeAll, expect, test } from 'vitest';
import { environmentServices } from '../../../src/config/environment-services.ts';
import type { ServiceConfig } from '../../../src/config/thaw-config.ts';
import type { DumpChoice } from '../../../src/contract/dump-request.ts';
import { chooseDump } from '../../../src/dump/choose/choose-dump.ts';
import { openDumpStore } from '../../../src/dump/choose/dump-store.ts';
import { listDumps } from '../../../src/dump/choose/list-dumps.ts';
import { createTestBucket, type TestBucket } from '../../harness/s3.ts';

/** Two pages. */
const count = 1_010;
let bucket: TestBucket;
let service: ServiceConfig;

/** The S3 tool's name of a dump that was made every hour since the beginning of 2025. */
function nameOf(hour: number): string {
  const at = new Date(Date.UTC(2025, 0, 1, hour));
  return `backup-${at.toISOString().replace(/[:.]/g, '-')}.tar.gz`;
}

beforeAll(async () => {
  bucket = await createTestBucket();
  let next = 0;
  const lane = async () => {
    for (let hour = next++; hour < count; hour = next++) await bucket.put(`prod/${nameOf(hour)}`, `${hour}`);
  };
  await Promise.all(Array.from({ length: 32 }, lane));
  await bucket.put(`other/${nameOf(9_999)}`, 'of another subfolder');
  const [found] = environmentServices({
    RESTORE_DATABASE_URL: 'postgres://u:p@h/shop',
    AWS_S3_BUCKET: bucket.bucket,
    AWS_S3_REGION: bucket.region,
    AWS_S3_ENDPOINT: bucket.endpoint,
    AWS_S3_FORCE_PATH_STYLE: 'true',
    AWS_ACCESS_KEY_ID: bucket.accessKeyId,
    AWS_SECRET_ACCESS_KEY: bucket.secretAccessKey,
    BUCKET_SUBFOLDER: 'prod',
  }).services;
  if (found === undefined) throw new Error('the environment names no service');
  service = found;
});

afterAll(() => bucket.remove());

async function choose(choice: DumpChoice) {
  const store = await openDumpStore(service, choice, {});
  try {
    return await chooseDump(store, service, choice, 0);
  } finally {
    store.close();
  }
}

test('all pages of a listing are looked at for the newest', async () => {
  const { candidates } = await choose({ kind: 'latest', before: null });
  expect(candidates[0]).toMatchObject({
    key: `prod/${nameOf(count - 1)}`,
    takenAt: '2025-02-12T01:00:00.000Z',
  });
  const store = await openDumpStore(service, { kind: 'latest', before: null }, {});
  expect((await listDumps(store, service)).dumps).toHaveLength(count);
  store.close();
});

test('a time and a key choose among them', async () => {
  const { candidates } = await choose({ kind: 'latest', before: '2025-01-20T12:30:00.000Z' });
  expect(candidates[0]?.key).toBe('prod/backup-2025-01-20T12-00-00-000Z.tar.gz');
  for (const key of [nameOf(700), `prod/${nameOf(700)}`]) {
    expect((await choose({ kind: 'key', key })).candidates.map((dump) => dump.key)).toEqual(
      [700, 699, 698, 697].map((hour) => `prod/${nameOf(hour)}`),
    );
  }
});
