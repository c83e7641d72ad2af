import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixtureObjects } from '../harness/fixture.ts';
import { createTestBucket, type TestBucket } from '../harness/s3.ts';
import { type CommandEnd, thaw } from './thaw-command.ts';

let bucket: TestBucket;
let folder: string;
beforeAll(async () => {
  bucket = await createTestBucket();
  await bucket.putFixture('shop');
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-s3-'));
  await writeFile(
    path.join(folder, 'config.yaml'),
    `
version: "1.0"
s3: { endpoint: "${bucket.endpoint}", bucket: "${bucket.bucket}", region: "${bucket.region}", prefix: archives }
databases: [{ name: shop_db, host: h, user: u, password: p, tables: [{ name: orders }] }]
`,
  );
});
afterAll(async () => {
  await bucket?.remove();
  await rm(folder, { recursive: true, force: true });
});

function run(...args: string[]): Promise<CommandEnd> {
  const keys = { AWS_ACCESS_KEY_ID: bucket.accessKeyId, AWS_SECRET_ACCESS_KEY: bucket.secretAccessKey };
  return thaw(args, { ...process.env, ...keys, THAW_CONFIG: path.join(folder, 'config.yaml') });
}

it('lists and validates what lies in a bucket, and finds what is wrong with it', async () => {
  expect((await run('list')).stdout).toMatch(/^shop_db +orders +6 +300 +9\.0 KiB/m);
  const clean = await run('validate', '--level', 'rows', '--output-format', 'json');
  expect(clean.exitCode).toBe(0);
  expect(JSON.parse(clean.stdout)).toMatchObject({ total_archives: 12, is_valid: true });

  const [first, second] = (await fixtureObjects('shop')).filter(({ key }) => key.endsWith('.jsonl.gz'));
  const bytes = await readFile(first?.file ?? '');
  bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
  await bucket.put(first?.key ?? '', bytes);
  await bucket.put(`${second?.key.replace('batch_', 'batch_9')}.metadata.json`, '{}');
  const { exitCode, stdout } = await run('validate', '--output-format', 'json');
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    total_archives: 12,
    valid_archives: 11,
    invalid_archives: 1,
    orphaned_files: [`${second?.key.replace('batch_', 'batch_9')}.metadata.json`],
    checksum_failures: [first?.key],
    is_valid: false,
  });
});

it('says that the store cannot be used, instead of calling archives invalid', async () => {
  const { exitCode, stdout, stderr } = await thaw(['validate', '--output-format', 'json'], {
    ...process.env,
    AWS_ACCESS_KEY_ID: 'nobody',
    AWS_SECRET_ACCESS_KEY: 'nothing',
    THAW_CONFIG: path.join(folder, 'config.yaml'),
  });
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr).toContain('PermissionDenied: ');
});
