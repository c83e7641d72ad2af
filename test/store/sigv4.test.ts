import { expect, test } from 'vitest';
import { GetSigner } from '../../src/store/sigv4.ts';

const keys = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const host = 'examplebucket.s3.amazonaws.com';
const time = new Date('2013-05-24T00:00:00Z');

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "GET Object"
test('signs the example of the AWS documentation', () => {
  const headers = new GetSigner('us-east-1').headers(host, '/test.txt', keys, time, { range: 'bytes=0-9' });
  expect(headers.authorization).toBe(
    'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
      'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, ' +
      'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  );
});

test('sends and signs a session token', () => {
  const headers = new GetSigner('us-east-1').headers(host, '/x', { ...keys, sessionToken: 'tok/en+=' }, time);
  expect(headers['x-amz-security-token']).toBe('tok/en+=');
  expect(headers.authorization).toContain(
    'SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,',
  );
});

test('derives the key anew for another day and other keys', () => {
  const signer = new GetSigner('us-east-1');
  const signatures = [
    signer.headers(host, '/x', keys, time),
    signer.headers(host, '/x', keys, new Date('2013-05-25T00:00:00Z')),
    signer.headers(host, '/x', { ...keys, secretAccessKey: 'other' }, time),
    signer.headers(host, '/x', keys, time),
  ].map(({ authorization }) => authorization?.split('Signature=')[1]);
  expect(signatures[3]).toBe(signatures[0]);
  expect(new Set(signatures).size).toBe(3);
});
