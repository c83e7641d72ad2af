import { expect, test } from 'vitest';
import { parseDatabaseUrl } from '../../src/config/database-url.ts';

const usual = {
  name: 'shop',
  host: 'db.example.com',
  port: 5432,
  user: 'u',
  password: { secret: 'p' },
  sslMode: 'prefer',
  sslRootCert: null,
  tables: [],
};

test.each([
  ['postgres://u:p@db.example.com/shop', {}],
  ['postgresql://u:p@db.example.com:6432/shop', { port: 6432 }],
  [
    'postgres://u:p@db.example.com/shop?sslmode=verify-full&sslrootcert=/ca.pem',
    { sslMode: 'verify-full', sslRootCert: '/ca.pem' },
  ],
  ['postgres://u:p@db.example.com/shop?sslmode=no-verify', { sslMode: 'require' }],
  ['postgres://u:p@db.example.com/shop?ssl=true&application_name=x', { sslMode: 'require' }],
  [
    'postgres://u%40x:p%2F%3A%40%23%25@db.example.com/a%20%22shop%22',
    { user: 'u@x', password: { secret: 'p/:@#%' }, name: 'a "shop"' },
  ],
  ['postgres://u@db.example.com/shop', { password: { secret: '' } }],
  ['postgres://u:p@[::1]:5433/shop', { host: '::1', port: 5433 }],
  ['postgres://u:p@/shop?host=/var/run/postgresql', { host: '/var/run/postgresql' }],
  ['postgres://u:p@%2Fvar%2Frun%2Fpostgresql/shop', { host: '/var/run/postgresql' }],
  ['postgres://u:p@:5433/shop', { host: 'localhost', port: 5433 }],
  ['postgres:///shop?user=u&password=p&port=5433', { host: 'localhost', port: 5433 }],
])('reads %s', (text, parts) => {
  expect(parseDatabaseUrl(text, 'prefer')).toEqual({ ...usual, ...parts });
});

test.each([
  [
    'mysql://u:hunter2@h/shop',
    ['must be a postgres:// URL, with what is special in user and password percent-encoded'],
  ],
  [
    'u:hunter2@h/shop',
    ['must be a postgres:// URL, with what is special in user and password percent-encoded'],
  ],
  [
    'postgres://u:hunter2/x@h/shop',
    ['must be a postgres:// URL, with what is special in user and password percent-encoded'],
  ],
  ['postgres://u:hunter2%zz@h/shop', ['has a percent sign that encodes nothing: write it as %25']],
  [
    'postgres://:hunter2@h?port=0&sslmode=strong',
    [
      'the port must be a whole number from 1 to 65535',
      'names no user',
      'names no database',
      'sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full',
    ],
  ],
  ['postgres://u:hunter2@h/shop?host=a,b', ['must name one host']],
])('says everything that is wrong with %s, and no secret', (text, reasons) => {
  expect(parseDatabaseUrl(text, 'prefer')).toEqual(reasons);
});
