import { expect, test } from 'vitest';
import { fingerprint } from '../../src/config/fingerprint.ts';
import { configText, parsed } from './example.ts';

const s3 = '{ bucket: b, endpoint: "http://x", prefix: p, access_key_id: A, secret_access_key: S }';
const database = '{ name: d, host: h, port: 1, user: u, password: one }';

function printOf(parts: { s3?: string; database?: string; rest?: string }): string {
  return fingerprint(parsed(configText({ s3, database, ...parts })), 'd');
}

test('is 16 hex digits, the same for the same', () => {
  expect(printOf({})).toMatch(/^[0-9a-f]{16}$/);
  expect(printOf({})).toBe(printOf({}));
});

test.each([
  { s3: s3.replace('S }', 'T }') },
  { s3: s3.replace('p,', 'p/,') },
  { database: database.replace('one', 'two') },
  { database: database.replace('password: one', 'password_env: PW') },
  { rest: 'restore_watermark: { enabled: false }' },
  { rest: '  - { name: e, host: h, user: u, password: x }' },
])('ignores secrets and what a restore is not about: %o', (parts) => {
  expect(printOf(parts)).toBe(printOf({}));
});

test.each([
  { s3: s3.replace('bucket: b', 'bucket: c') },
  { s3: s3.replace('//x', '//y') },
  { s3: s3.replace('prefix: p', 'prefix: q') },
  { database: database.replace('host: h', 'host: g') },
  { database: database.replace('port: 1', 'port: 2') },
  { database: database.replace('user: u', 'user: v') },
  { rest: 'folder: /srv' },
])('changes with %o', (parts) => {
  expect(printOf(parts)).not.toBe(printOf({}));
});

test('is of one database', () => {
  const config = parsed(configText({ rest: '  - { name: e, host: h, user: u, password: x }' }));
  expect(fingerprint(config, 'e')).not.toBe(fingerprint(config, 'd'));
  expect(() => fingerprint(config, 'f')).toThrow('database "f" is not in the configuration');
});
