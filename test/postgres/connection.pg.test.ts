import { once } from 'node:events';
import { createServer } from 'node:net';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { applicationName, connect, disconnect } from '../../src/postgres/connection.ts';
import { openSession, type Session } from './session.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('connection');
  client = session.client;
});

afterAll(() => session.close());

async function value(text: string, from: pg.Client = client): Promise<unknown> {
  const { rows } = await from.query<{ value: unknown }>(`select ${text} as value`);
  return rows[0]?.value;
}

test.each([
  ['client_encoding', 'UTF8'],
  ['TimeZone', 'UTC'],
  ['DateStyle', 'ISO, YMD'],
  ['IntervalStyle', 'postgres'],
  ['extra_float_digits', '1'],
  ['lc_monetary', 'C'],
  ['statement_timeout', '0'],
  ['lock_timeout', '0'],
  ['idle_in_transaction_session_timeout', '0'],
  ['standard_conforming_strings', 'on'],
  ['tcp_keepalives_idle', '15'],
  ['client_connection_check_interval', '10s'],
  ['default_transaction_isolation', 'read committed'],
  ['synchronous_commit', 'on'],
])('%s is %s, whatever the database says', async (setting, expected) => {
  const { database } = session.config;
  await client.query(`
    alter database "${database}" set timezone = 'Asia/Kolkata';
    alter database "${database}" set datestyle = 'SQL, DMY';
    alter database "${database}" set statement_timeout = '5s';
    alter database "${database}" set default_transaction_isolation = 'serializable';
    alter database "${database}" set synchronous_commit = off;
    alter database "${database}" set standard_conforming_strings = off`);
  expect(await value(`current_setting('${setting}')`, await session.open())).toBe(expected);
});

test('a stricter synchronous_commit of the user is kept', async () => {
  const { database } = session.config;
  await client.query(`alter database "${database}" set synchronous_commit = remote_apply`);
  expect(await value(`current_setting('synchronous_commit')`, await session.open())).toBe('remote_apply');
});

test('the settings outlive a rollback', async () => {
  const other = await session.open();
  await other.query('begin; select 1; rollback');
  expect(await value(`current_setting('statement_timeout')`, other)).toBe('0');
});

test.each<[string, unknown]>([
  ['9007199254740991::int8', 9007199254740991],
  ['9007199254740993::int8', '9007199254740993'],
  ['(select count(*) from generate_series(1, 3))', 3],
  ['0.10000000000000000555::numeric', '0.10000000000000000555'],
  [`'2026-01-02 03:04:05.123456+02'::timestamptz`, '2026-01-02 01:04:05.123456+00'],
  [`'infinity'::date`, 'infinity'],
  [`'1 mon 2 days'::interval`, '1 mon 2 days'],
  [`'{"a": [1]}'::jsonb`, { a: [1] }],
  [`array['a', null]::text[]`, ['a', null]],
  ['array[1, 2]', [1, 2]],
  ['true', true],
  [`'$1,234.56'::money::numeric`, '1234.56'],
  [`'\\x00ff'::bytea`, Buffer.from([0, 255])],
])('reads %s exactly', async (text, expected) => {
  expect(await value(text)).toEqual(expected);
});

test('the session is found by its shortened name', async () => {
  const names = [1, 2].map((attempt) => `thaw/${'é'.repeat(3)}/${'x'.repeat(70)}/${attempt}`);
  for (const name of names) await session.open(undefined, name);
  const { rows } = await client.query<{ name: string }>(
    `select application_name as name from pg_stat_activity
     where datname = current_database() and application_name like 'thaw/%' order by 1`,
  );
  expect(rows.map(({ name }) => name)).toEqual(names.map(applicationName).sort());
  expect(new Set(rows.map(({ name }) => name)).size).toBe(2);
});

test.each([
  ['a database that is not there', { database: 'nowhere' }, 'ConfigInvalid'],
  ['a wrong password', { password: 'wrong' }, 'PermissionDenied'],
  ['no password', { password: undefined }, 'PermissionDenied'],
  ['an unknown host', { host: 'no-such-host.invalid' }, 'DatabaseUnavailable'],
  ['a server without TLS', { ssl: true }, 'ConfigInvalid'],
])('%s', async (_, change, code) => {
  const failed = connect({ ...session.config, ...change }, { applicationName: 'test' });
  await expect(failed).rejects.toMatchObject({ code });
  await expect(failed).rejects.not.toThrow(/secret/);
});

test('a port where nobody listens', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  server.close();
  await once(server, 'close');
  const failed = connect({ ...session.config, port }, { applicationName: 'test' });
  await expect(failed).rejects.toMatchObject({ code: 'DatabaseUnavailable', retryable: true });
});

// The limit of 5 s is below the one of the driver, which would end the attempt too.
test('an attempt is given up when its signal says so, though the server is silent', async () => {
  const sockets: { destroy(): unknown }[] = [];
  const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const controller = new AbortController();
  const attempt = connect({ ...session.config, port }, { applicationName: 'x', signal: controller.signal });
  await once(silent, 'connection');
  const reason = new Error('cancelled');
  controller.abort(reason);
  await expect(attempt).rejects.toBe(reason);
  for (const socket of sockets) socket.destroy();
  silent.close();
}, 5_000);

test('a query under way is broken off by disconnect, which may be called again', async () => {
  const other = await session.open(undefined, 'leaving');
  const query = other.query('select pg_sleep(60)');
  const failed = expect(query).rejects.toThrow('Connection terminated');
  await disconnect(other);
  await failed;
  await disconnect(other);
});

test('a connection that is lost while idle does not end the process', async () => {
  const other = await session.open(undefined, 'doomed');
  const gone = new Promise<void>((resolve) => other.once('end', resolve));
  await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'doomed'`,
  );
  await gone;
  await expect(other.query('select 1')).rejects.toThrow();
});
