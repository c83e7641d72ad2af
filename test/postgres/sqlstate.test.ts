import pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/contract/error-code.ts';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { copyPosition, databaseError, isAboutTarget, isSqlState } from '../../src/postgres/sqlstate.ts';

const context = { object: 'public.t', stage: 'copy' } as const;

function serverError(code: string, fields: Partial<pg.DatabaseError> = {}): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError('message with a value: 4711', 1, 'error'), { code, ...fields });
}

test.each<[string, ErrorCode]>([
  ['08006', 'DatabaseUnavailable'],
  ['0A000', 'SchemaIncompatible'],
  ['22003', 'RowRejected'],
  ['22P02', 'RowRejected'],
  ['22P05', 'RowRejected'],
  ['23502', 'RowRejected'],
  ['23503', 'RowRejected'],
  ['23505', 'ConflictFound'],
  ['23514', 'RowRejected'],
  ['23P01', 'ConflictFound'],
  ['25006', 'PermissionDenied'],
  ['28P01', 'PermissionDenied'],
  ['3D000', 'ConfigInvalid'],
  ['3F000', 'TargetMissing'],
  ['40001', 'SerializationFailure'],
  ['40P01', 'SerializationFailure'],
  ['42501', 'PermissionDenied'],
  ['42703', 'SchemaIncompatible'],
  ['42P01', 'TargetMissing'],
  ['42804', 'SchemaIncompatible'],
  ['53100', 'DatabaseUnavailable'],
  ['53300', 'DatabaseUnavailable'],
  ['53400', 'ConfigInvalid'],
  ['54000', 'RowRejected'],
  ['55P03', 'LockTimeout'],
  ['57014', 'DatabaseUnavailable'],
  ['57P01', 'DatabaseUnavailable'],
  ['57P03', 'DatabaseUnavailable'],
  ['P0001', 'RowRejected'],
  ['XX000', 'DatabaseUnavailable'],
  ['ZZ999', 'DatabaseUnavailable'],
])('SQLSTATE %s is %s', (sqlstate, code) => {
  const error = databaseError(serverError(sqlstate), context);
  expect(error).toMatchObject({ code, sqlstate, object: 'public.t', stage: 'copy' });
});

test('too many locks are no lack of memory: the setting is named, and no retry helps', () => {
  const memory = databaseError(serverError('53200'), context);
  expect(memory).toMatchObject({ code: 'DatabaseUnavailable' });
  const hint = 'Sie müssen möglicherweise »max_locks_per_transaction« erhöhen.';
  const locks = databaseError(serverError('53200', { hint }), context);
  expect(locks).toMatchObject({
    code: 'ConfigInvalid',
    message: 'public.t: PostgreSQL has no room for so many locks (SQLSTATE 53200)',
    hint: expect.stringContaining('Raise max_locks_per_transaction'),
  });
});

test.each<[string, ErrorCode]>([
  ['ECONNREFUSED', 'DatabaseUnavailable'],
  ['ECONNRESET', 'DatabaseUnavailable'],
  ['ETIMEDOUT', 'DatabaseUnavailable'],
  ['EPIPE', 'DatabaseUnavailable'],
  ['ENOTFOUND', 'DatabaseUnavailable'],
  ['EACCES', 'PermissionDenied'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'ConfigInvalid'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ConfigInvalid'],
])('%s of the socket is %s', (socketCode, code) => {
  const error = Object.assign(new Error('connect'), { code: socketCode });
  expect(databaseError(error, context).code).toBe(code);
});

test.each<[string, ErrorCode]>([
  ['Connection terminated unexpectedly', 'DatabaseUnavailable'],
  ['Client has encountered a connection error and is not queryable', 'DatabaseUnavailable'],
  ['timeout expired', 'DatabaseUnavailable'],
  ['The server does not support SSL connections', 'ConfigInvalid'],
  ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string', 'PermissionDenied'],
])('"%s" of the driver is %s', (message, code) => {
  expect(databaseError(new Error(message), context).code).toBe(code);
});

test('what is not of the database is thrown as it is', () => {
  const bug = new TypeError('x is not a function');
  expect(() => databaseError(bug, context)).toThrow(bug);
});

test('an error of the closed set comes back unchanged', () => {
  const error = new ThawError('TargetBusy', 'busy');
  expect(databaseError(error, context)).toBe(error);
});

test('only what the user raised inside a function is held back of messages about objects', () => {
  const own = databaseError(serverError('42704', { message: 'type "x" does not exist' }), context);
  expect(own.message).toBe('public.t: type "x" does not exist (SQLSTATE 42704)');
  const raised = databaseError(serverError('42704', { routine: 'exec_stmt_raise' }), context);
  expect(raised.message).not.toContain('4711');
  const nested = databaseError(
    serverError('42704', { where: 'PL/pgSQL function f() line 3 at EXECUTE' }),
    context,
  );
  expect(nested.message).not.toContain('4711');
});

test('a full disk ends the table, a lost connection does not', () => {
  expect(isAboutTarget(databaseError(serverError('53100'), context))).toBe(true);
  expect(isAboutTarget(databaseError(serverError('42501'), context))).toBe(true);
  expect(isAboutTarget(databaseError(serverError('57P01'), context))).toBe(false);
  expect(isAboutTarget(databaseError(serverError('22P02'), context))).toBe(false);
});

test('asks raw and classified errors for their SQLSTATE', () => {
  const raw = serverError('23505');
  expect(isSqlState(raw, '23P01', '23505')).toBe(true);
  expect(isSqlState(databaseError(raw, context), '23505')).toBe(true);
  expect(isSqlState(raw, '23503')).toBe(false);
  expect(isSqlState(new Error('23505'), '23505')).toBe(false);
});

describe('the position of a COPY', () => {
  test.each<[string, number, string | undefined]>([
    ['COPY t, line 3, column amount: "12,5"', 3, 'amount'],
    ['COPY t, line 4: "1\t2"', 4, undefined],
    ['COPY t, line 5', 5, undefined],
    ['COPY t, line 6, column b: null input', 6, 'b'],
    ['COPY t, line 7, column a: "COPY u, line 9, column z: "', 7, 'a'],
    ['PL/pgSQL function f() line 12 at RAISE\nCOPY t, line 8: "x"', 8, undefined],
    ['COPY t, Zeile 9, Spalte a: "x"', 9, 'a'],
    ['COPY two words, line 10, column Order Date: "x"', 10, 'Order Date'],
  ])('%j', (where, line, column) => {
    expect(copyPosition(serverError('22P02', { where }))).toEqual({ line, column });
  });

  test('is not found where there is none', () => {
    expect(copyPosition(serverError('22P02', { where: 'PL/pgSQL function f() line 3' }))).toBeUndefined();
  });
});
