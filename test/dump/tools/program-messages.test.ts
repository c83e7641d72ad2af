import { expect, test } from 'vitest';
import { ProgramMessages } from '../../../src/dump/tools/program-messages.ts';
import { type RestoreRun, restoreFailure, warningLines } from '../../../src/dump/tools/restore-failure.ts';

function read(text: string): ProgramMessages {
  const messages = new ProgramMessages();
  for (const line of text.split('\n')) messages.take(line);
  messages.end();
  return messages;
}

/** What comes of what pg_restore or psql wrote. */
function failure(text: string, code: number | null = 1, more: Partial<RestoreRun> = {}) {
  const programs = { psql: '', pgRestore: '/bin/pg_restore', pgDump: '', version: '15.18', major: 15 };
  const messages = read(text);
  const end = { code, signal: null };
  const rest = { name: 'pg_restore' as const, dump: 'd.tar', database: 'db', allowErrors: false };
  return restoreFailure({ programs, messages, end, ...rest, ...more });
}

test.each([
  // Statements, DETAIL and CONTEXT hold rows.
  [
    `pg_restore: error: COPY failed for table "t": ERROR:  duplicate key value violates unique constraint "t_pkey"
DETAIL:  Key (id)=(secret) already exists.
CONTEXT:  COPY t, line 1: "secret"`,
    'COPY failed for table "t": duplicate key value violates unique constraint "t_pkey"',
  ],
  [
    `pg_restore: error: could not execute query: ERROR:  relation "Odd "Name.x" already exists
Command was: CREATE TABLE secret (`,
    'relation "Odd "Name.x" already exists',
  ],
  [
    'pg_restore: error: COPY failed for table "t": ERROR:  invalid input syntax for type integer: "secret"',
    'COPY failed for table "t": invalid input syntax for type integer …',
  ],
  [
    'pg_restore: error: COPY failed for table "t": ERROR:  value "secret" is out of range',
    'COPY failed for table "t": value …',
  ],
  [
    `pg_restore: error: COPY failed for table "t": ERROR:  secret sec5
CONTEXT:  PL/pgSQL function public.f() line 1 at RAISE`,
    'COPY failed for table "t": a function of the database raised an error',
  ],
  ['pg_restore: error: could not execute query: FEHLER:  Relation »secret« nicht da', 'Relation …'],
  [
    'psql:<stdin>:12: ERROR:  22P02: invalid input syntax for type integer: "secret"',
    'line 12: invalid input syntax for type integer …',
  ],
  ['psql:<stdin>:12: ERROR:  P0001: secret', 'line 12: a function of the database raised an error'],
  [
    'psql:<stdin>:4: backslash commands are restricted; only \\unrestrict is allowed',
    'line 4: backslash commands are restricted; only \\unrestrict is allowed',
  ],
  ["/usr/bin/pg_restore: unrecognized option '--bogus'", "unrecognized option '--bogus'"],
])('of %j no row is repeated', (text, said) => {
  const { errors, errorCount } = read(text);
  expect(errorCount).toBe(1);
  expect(errors[0]?.text).toBe(said);
  expect(JSON.stringify(errors)).not.toContain('secret');
});

test('what is there already is told with the way to replace it', () => {
  const said = 'pg_restore: error: could not execute query: ERROR:  relation "t" already exists';
  expect(failure(said)).toMatchObject({
    code: 'DumpRejected',
    hint: expect.stringContaining('RESTORE_OPTIONS="--clean --if-exists"'),
  });
});

test('keeps some, counts all, and tells warnings from what is only said', () => {
  const lines = Array.from(
    { length: 30 },
    (_, index) => `pg_restore: error: could not execute query: ERROR:  role "r${index}" does not exist`,
  );
  const messages = read(
    [
      ...lines,
      'pg_restore: creating TABLE "public.t"',
      'pg_restore: WARNING:  no privileges were granted for "x"',
      'pg_restore: hint: try',
      'pg_restore: warning: errors ignored on restore: 30',
    ].join('\n'),
  );
  expect(messages).toMatchObject({ errorCount: 30, ignored: 30 });
  expect(messages.errors).toHaveLength(20);
  expect(messages.warnings).toEqual([
    { severity: 'warning', sqlstate: null, text: 'no privileges were granted for …' },
  ]);
  expect(warningLines(messages)).toHaveLength(20);
});

const many = `pg_restore: error: could not execute query: ERROR:  permission denied for schema public
pg_restore: error: could not execute query: ERROR:  must be owner of extension plpgsql
`;

test.each<[string, string, string, Partial<RestoreRun>?]>([
  [
    'DatabaseUnavailable',
    'lost its connection',
    'pg_restore: error: could not execute query: no connection to the server\npg_restore: warning: errors ignored on restore: 12',
  ],
  [
    'DatabaseUnavailable',
    'lost its connection',
    'FATAL:  57P01: terminating connection due to administrator command\nserver closed the connection unexpectedly',
    { name: 'psql' },
  ],
  ['DatabaseUnavailable', 'was ended by SIGKILL', '', { end: { code: null, signal: 'SIGKILL' } }],
  [
    'PermissionDenied',
    '2 errors while d.tar was restored into "db": permission denied for schema public; must be owner',
    `${many}pg_restore: warning: errors ignored on restore: 2`,
  ],
  [
    'DumpRejected',
    '3 errors while',
    `${many}pg_restore: error: could not execute query: ERROR:  role "x" does not exist\npg_restore: warning: errors ignored on restore: 3`,
  ],
  [
    'DumpRejected',
    'could not extend file',
    'pg_restore: error: COPY failed for table "t": ERROR:  could not extend file "base/1/2": No space left on device',
  ],
  [
    'ConfigInvalid',
    'out of shared memory',
    'pg_restore: error: could not execute query: ERROR:  out of shared memory',
  ],
  [
    'ConfigInvalid',
    'd.tar needs the programs of PostgreSQL 17 or newer, not 15.18',
    'pg_restore: error: unsupported version (1.16) in file header',
  ],
  ['ConfigInvalid', "pg_restore 15.18: unrecognized option '--x'", "pg_restore: unrecognized option '--x'"],
  [
    'ArchiveCorrupt',
    'd.tar cannot be read to its end',
    'pg_restore: error: could not read from input file: end of file',
  ],
  ['DumpRejected', 'ended with exit code 1 and said nothing', ''],
])('%s: %s', (code, message, text, more) => {
  const error = failure(text, 1, more);
  expect(error?.code).toBe(code);
  expect(error?.message).toContain(message);
});

test('errors may be allowed, but not that pg_restore stops', () => {
  const ignored = `${many}pg_restore: warning: errors ignored on restore: 2`;
  expect(failure(ignored, 1, { allowErrors: true })).toBeNull();
  expect(failure(many, 1, { allowErrors: true })).toMatchObject({ code: 'PermissionDenied' });
  expect(failure('', 0)).toBeNull();
});

test('that an older server does not know transaction_timeout is no failure', () => {
  const unknown =
    'pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"';
  expect(failure(`${unknown}\npg_restore: warning: errors ignored on restore: 1`)).toBeNull();
  expect(failure(`${unknown}\n${many}pg_restore: warning: errors ignored on restore: 3`)).toMatchObject({
    code: 'DumpRejected',
  });
});
