import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ThawError } from '../../src/contract/thaw-error.ts';
import { databaseError } from '../../src/postgres/sqlstate.ts';
import { openSession, type Session } from './session.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('sqlstate');
  client = session.client;
  await client.query(`
    create table t (
      id int primary key,
      amount int not null,
      name varchar(3),
      constraint "amount is small" check (amount < 100)
    );
    create table child (parent int constraint "of t" references t);
    create function refuse() returns trigger language plpgsql as $$
      begin raise exception 'refused %', new.name using errcode = '42704'; end $$;
    create table guarded (name text);
    create trigger guard before insert on guarded for each row execute function refuse();
  `);
});

afterAll(() => session.close());

/** Copies lines into a table and gives the error that comes of it. */
async function failedCopy(table: string, lines: string): Promise<ThawError> {
  try {
    await pipeline(Readable.from([lines]), client.query(copyFrom(`copy ${table} from stdin`)));
  } catch (error) {
    return databaseError(error, { object: `public.${table}`, stage: 'copy' });
  }
  throw new Error('The COPY did not fail.');
}

test.each([
  ['a bad value', '1\t1\ta\n2\tsecret4711\tb\n', 'RowRejected', 'column amount', '22P02', 2],
  ['a number out of range', '1\t99999994711\ta\n', 'RowRejected', 'column amount', '22003', 1],
  ['a long text', '1\t1\t4711\n', 'RowRejected', 'column name', '22001', 1],
  ['a NULL', '1\t1\ta\n2\t2\tb\n3\t\\N\t471\n', 'RowRejected', 'column amount', '23502', 3],
  ['a check', '1\t4711\ta\n', 'RowRejected', 'constraint amount is small', '23514', 1],
  ['a missing field', '4711\n', 'RowRejected', 'fields of the table', '22P04', 1],
  ['a key twice', '1\t1\ta\n471\t1\tb\n471\t1\tc\n', 'ConflictFound', 'constraint t_pkey', '23505', 3],
])('%s names place and line, never the value', async (_, lines, code, says, sqlstate, line) => {
  const error = await failedCopy('t', lines);
  expect(error).toMatchObject({ code, sqlstate, line, stage: 'copy' });
  expect(error.message).toContain(says);
  expect(`${error.message} ${error.hint}`).not.toMatch(/471/);
  expect(error.cause).toBeUndefined();
});

test('a foreign key names its constraint', async () => {
  const error = await failedCopy('child', '4711\n');
  expect(error).toMatchObject({ code: 'RowRejected', sqlstate: '23503' });
  expect(error.message).toContain('constraint of t');
  expect(error.message).not.toContain('4711');
});

test('what a trigger raises is not repeated', async () => {
  const error = await failedCopy('guarded', 'secret4711\n');
  expect(error.sqlstate).toBe('42704');
  expect(error.message).not.toContain('secret4711');
});

test('a row that a policy refuses is about the row, a missing right about the table', async () => {
  const user = await session.makeUser();
  await client.query(`
    create table own (name text);
    alter table own enable row level security;
    create policy mine on own with check (name = current_user);
    grant insert on own to "${user}"`);
  const stranger = await session.open(user);
  const policy = await stranger.query(`insert into own values ('x')`).catch((error: unknown) => error);
  expect(databaseError(policy, { object: 'public.own' })).toMatchObject({
    code: 'RowRejected',
    sqlstate: '42501',
  });
  const right = await stranger.query('insert into t values (1, 1)').catch((error: unknown) => error);
  const denied = databaseError(right, { object: 'public.t' });
  expect(denied.code).toBe('PermissionDenied');
  expect(denied.message).toContain('permission denied for table t');
  expect(denied.hint).toContain('grant select, insert, update on public.t');

  await client.query(`revoke connect on database "${session.config.database}" from public`);
  await expect(session.open(user)).rejects.toMatchObject({
    code: 'PermissionDenied',
    hint: expect.stringContaining('grant connect on database'),
  });
});

test('a lock not had in time, a deadlock, and a session that was ended', async () => {
  const other = await session.open();
  await client.query('begin; lock table t');
  await other.query(`set lock_timeout = '20ms'`);
  const waited = await other.query('select from t').catch((error: unknown) => error);
  expect(databaseError(waited, { object: 't' }).code).toBe('LockTimeout');
  await client.query('rollback');

  const ended = other.query('select pg_sleep(30)').catch((error: unknown) => error);
  await client.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`);
  expect(databaseError(await ended, { object: 't' })).toMatchObject({
    code: 'DatabaseUnavailable',
    retryable: true,
  });
  const after = await other.query('select 1').catch((error: unknown) => error);
  expect(databaseError(after, { object: 't' }).code).toBe('DatabaseUnavailable');
});
