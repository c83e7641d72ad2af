import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { environmentServices } from '../../../src/config/environment-services.ts';
import type { DumpChoice } from '../../../src/contract/dump-request.ts';
import { chooseDump } from '../../../src/dump/choose/choose-dump.ts';
import { storeBefore } from '../../store/fake-s3.ts';

const [service] = environmentServices({
  RESTORE_DATABASE_URL: 'postgres://u:p@h/shop',
  AWS_S3_BUCKET: 'bucket',
}).services;
const newest = 'backup-2025-12-03T02-00-00Z.tar.gz';
const older = 'backup-2025-12-01T02-00-00Z.tar.gz';

function failed(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<Error><Code>${code}</Code></Error>`);
}

function listed(response: ServerResponse): void {
  const entry = (key: string, storageClass: string) =>
    `<Contents><Key>${key}</Key><Size>3</Size><ETag>"${key}"</ETag>` +
    `<LastModified>${key.slice(7, 17)}T02:00:00Z</LastModified><StorageClass>${storageClass}</StorageClass></Contents>`;
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(
    `<ListBucketResult>${entry(older, 'STANDARD')}${entry('backup-2025-12-02T02-00-00Z.tar.gz', 'DEEP_ARCHIVE')}${entry(newest, 'GLACIER')}</ListBucketResult>`,
  );
}

function isListing({ url }: IncomingMessage): boolean {
  return url?.includes('list-type=2') ?? false;
}

async function choose(
  choice: DumpChoice,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
) {
  if (service === undefined) throw new Error('the environment names no service');
  return chooseDump(await storeBefore(answer), service, choice, 0);
}

const latest: DumpChoice = { kind: 'latest', before: null };

test('a frozen dump is told as such, with the newest that is not', async () => {
  const choosing = choose(latest, (request, response) =>
    isListing(request) ? listed(response) : failed(response, 403, 'InvalidObjectState'),
  );
  await expect(choosing).rejects.toMatchObject({
    code: 'ArchiveFrozen',
    object: newest,
    hint: expect.stringContaining(`Or take ${older} of 2025-12-01T02:00:00.000Z, which is not frozen.`),
  });
});

test('one that was thawed is taken', async () => {
  const { candidates } = await choose(latest, (request, response) => {
    if (isListing(request)) return listed(response);
    response.writeHead(206, { 'content-range': 'bytes 0-0/3', 'content-length': '1', etag: `"${newest}"` });
    response.end('x');
  });
  expect(candidates[0]?.key).toBe(newest);
});

test('a key is taken from a bucket that may be read but not listed', async () => {
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    if (isListing(request) || !request.url?.includes(newest)) return failed(response, 403, 'AccessDenied');
    response.writeHead(200, { 'content-length': '3', etag: '"tag"' });
    response.end('xyz');
  };
  expect(await choose({ kind: 'key', key: newest }, answer)).toEqual({
    candidates: [
      expect.objectContaining({ key: newest, bytes: 3, etag: 'tag', takenAt: '2025-12-03T02:00:00.000Z' }),
    ],
    notices: [expect.stringContaining('s3://bucket may not be listed')],
  });
  await expect(choose({ kind: 'key', key: older }, answer)).rejects.toMatchObject({
    code: 'PermissionDenied',
  });
  await expect(choose(latest, answer)).rejects.toMatchObject({ code: 'PermissionDenied' });
});
