import { S3ServiceException } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { S3Answer, storeError } from '../../src/store/store-error.ts';

const context = { store: 's3://bucket', key: 'a/b' };

function withCode(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function fromSdk(name: string, httpStatusCode: number): Error {
  return new S3ServiceException({ name, $fault: 'client', $metadata: { httpStatusCode } });
}

test.each([
  [404, 'NoSuchKey', 'ArchiveNotFound'],
  [404, '', 'ArchiveNotFound'],
  [404, 'NotFound', 'ArchiveNotFound'],
  [404, 'NoSuchBucket', 'ConfigInvalid'],
  [404, 'SomethingElse', 'ConfigInvalid'],
  [403, 'AccessDenied', 'PermissionDenied'],
  [403, '', 'PermissionDenied'],
  [401, '', 'PermissionDenied'],
  [403, 'InvalidAccessKeyId', 'PermissionDenied'],
  [403, 'SignatureDoesNotMatch', 'PermissionDenied'],
  [400, 'ExpiredToken', 'PermissionDenied'],
  [403, 'InvalidObjectState', 'ArchiveFrozen'],
  [412, 'PreconditionFailed', 'ArchiveChanged'],
  [412, '', 'ArchiveChanged'],
  [503, 'SlowDown', 'StoreThrottled'],
  [429, '', 'StoreThrottled'],
  [503, 'ServiceUnavailable', 'StoreUnavailable'],
  [500, 'InternalError', 'StoreUnavailable'],
  [502, '', 'StoreUnavailable'],
  [400, 'RequestTimeout', 'StoreUnavailable'],
  [301, 'PermanentRedirect', 'ConfigInvalid'],
  [400, 'AuthorizationHeaderMalformed', 'ConfigInvalid'],
  [400, 'InvalidRequest', 'ConfigInvalid'],
])('%i %s is %s, from the SDK as well', (status, code, expected) => {
  expect(storeError(new S3Answer(status, code), context)).toMatchObject({ code: expected });
  const name = code === '' ? 'UnknownError' : code;
  expect(storeError(fromSdk(name, status), context)).toMatchObject({ code: expected });
});

test.each([
  ['ECONNREFUSED', 'StoreUnavailable'],
  ['ECONNRESET', 'StoreUnavailable'],
  ['ENOTFOUND', 'StoreUnavailable'],
  ['ETIMEDOUT', 'StoreUnavailable'],
  ['ERR_STREAM_PREMATURE_CLOSE', 'StoreUnavailable'],
  ['EIO', 'StoreUnavailable'],
  ['EPROTO', 'ConfigInvalid'],
  ['CERT_HAS_EXPIRED', 'ConfigInvalid'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'ConfigInvalid'],
  ['ENOENT', 'ArchiveNotFound'],
  ['EACCES', 'PermissionDenied'],
])('%s is %s', (code, expected) => {
  expect(storeError(withCode(code), context)).toMatchObject({ code: expected });
});

test('names the object, what the store said, and keeps the cause', () => {
  const cause = new S3Answer(404, 'NoSuchKey');
  const error = storeError(cause, context);
  expect(error).toMatchObject({
    message: 's3://bucket/a/b: is not there (404 NoSuchKey)',
    object: 'a/b',
    cause,
  });
});

test('speaks of the store where the key is not to blame', () => {
  const error = storeError(new S3Answer(404, 'NoSuchBucket'), context);
  expect(error).toMatchObject({ message: 's3://bucket: bucket does not exist (404 NoSuchBucket)' });
});

test('leaves alone what is classified already and what is a fault of the program', () => {
  const known = new ThawError('ArchiveChanged', 'x');
  const fault = new TypeError('x is not a function');
  expect(storeError(known, context)).toBe(known);
  expect(storeError(fault, context)).toBe(fault);
});
