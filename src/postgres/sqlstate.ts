import pg from 'pg';
import type { ErrorCode } from '../contract/error-code.ts';
import { type Stage, ThawError } from '../contract/thaw-error.ts';

/** The SQLSTATEs that code asks for by name. https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const sqlState = {
  notNullViolation: '23502',
  foreignKeyViolation: '23503',
  uniqueViolation: '23505',
  checkViolation: '23514',
  exclusionViolation: '23P01',
  readOnlyTransaction: '25006',
  serializationFailure: '40001',
  deadlockDetected: '40P01',
  insufficientPrivilege: '42501',
  undefinedColumn: '42703',
  undefinedObject: '42704',
  undefinedTable: '42P01',
  invalidSchemaName: '3F000',
  diskFull: '53100',
  objectInUse: '55006',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
} as const;

/** What an error is about, for its message. */
export interface DatabaseErrorContext {
  /** `schema.table`, or what else was worked on, such as the database. */
  readonly object: string;
  readonly stage?: Stage | undefined;
}

/** How a SQLSTATE is answered. */
interface Verdict {
  readonly code: ErrorCode;
  /** Words for the condition; the server's own message where absent. */
  readonly says?: string;
  readonly hint?: string;
}

/**
 * SQLSTATEs, whole or by class (the first two characters); the whole one wins. Entries without `says`
 * repeat the server's message: it then names objects, types and settings, never values of a row.
 */
const verdicts: Readonly<Record<string, Verdict>> = {
  // Rows. The server's words quote values here ("invalid input syntax for type integer: …"), so they are not used.
  '09': { code: 'RowRejected', says: 'a triggered action failed' },
  '21': { code: 'RowRejected', says: 'a statement met more rows than it may' },
  '22': { code: 'RowRejected', says: 'a value is not valid for its column' },
  '22001': { code: 'RowRejected', says: 'a text is too long for its column' },
  '22003': { code: 'RowRejected', says: 'a number is out of range for its column' },
  '22007': { code: 'RowRejected', says: 'a date or time is not valid' },
  '22008': { code: 'RowRejected', says: 'a date or time is out of range' },
  '22021': { code: 'RowRejected', says: 'a character does not exist in the encoding of the database' },
  '22P02': { code: 'RowRejected', says: 'a value cannot be read as the type of its column' },
  '22P04': { code: 'RowRejected', says: 'a line does not have the fields of the table' },
  '22P05': { code: 'RowRejected', says: 'a character does not exist in the encoding of the database' },
  '23': { code: 'RowRejected', says: 'a row violates a constraint' },
  '23502': { code: 'RowRejected', says: 'a column that must not be null has no value' },
  '23503': {
    code: 'RowRejected',
    says: 'a row refers to one that is not there',
    hint: 'Restore the table that it refers to first, or in the same restore. Where tables refer to each other in a circle, drop one of their foreign keys meanwhile.',
  },
  '23505': { code: 'ConflictFound', says: 'a row with the same key is there already' },
  '23514': { code: 'RowRejected', says: 'a row violates a check constraint' },
  '23P01': { code: 'ConflictFound', says: 'a row that excludes it is there already' },
  '2F': { code: 'RowRejected', says: 'a function of the database failed' },
  '38': { code: 'RowRejected', says: 'a function of the database failed' },
  '39': { code: 'RowRejected', says: 'a function of the database failed' },
  '44': { code: 'RowRejected', says: 'a row is not one that the view shows' },
  '54': { code: 'RowRejected', says: 'a row is larger or more deeply nested than PostgreSQL allows' },
  P0: { code: 'RowRejected', says: 'a trigger or function of the database raised an error' },

  // The target and its columns.
  '0A': { code: 'SchemaIncompatible' },
  '2B': { code: 'SchemaIncompatible' },
  '3F': { code: 'TargetMissing' },
  '42': { code: 'SchemaIncompatible' },
  '42P01': { code: 'TargetMissing' },
  '55': { code: 'SchemaIncompatible' },

  // Rights and settings.
  '0L': { code: 'PermissionDenied' },
  '0P': { code: 'PermissionDenied' },
  '25006': {
    code: 'PermissionDenied',
    hint: 'Connect to the primary server, with a user whose transactions are not read-only.',
  },
  '28': {
    code: 'PermissionDenied',
    hint: 'Check user and password of the database, and pg_hba.conf on its server.',
  },
  '3D': { code: 'ConfigInvalid', hint: 'Create the database, or correct its name in the configuration.' },
  '42501': { code: 'PermissionDenied' },
  '53400': { code: 'ConfigInvalid', hint: 'Raise the limit that is named, for the user of Thaw.' },
  '57P04': {
    code: 'ConfigInvalid',
    hint: 'The database was dropped; correct its name in the configuration.',
  },

  // The moment. Whatever is not listed is of this kind too: unknown is no reason to give a table up.
  '08': { code: 'DatabaseUnavailable' },
  '25': { code: 'DatabaseUnavailable' },
  '40': { code: 'SerializationFailure' },
  '53': { code: 'DatabaseUnavailable' },
  // No code of its own. Retryable, since the restore can go on once there is space; but as each retry fills
  // the disk again, isAboutTarget() says that the table ends and the user restores again.
  '53100': {
    code: 'DatabaseUnavailable',
    hint: 'The disk of the database is full. Free space or add some, then restore again.',
  },
  '55006': { code: 'LockTimeout' },
  '55P03': { code: 'LockTimeout' },
  '57': { code: 'DatabaseUnavailable' },
  '58': { code: 'DatabaseUnavailable' },
};

/** Errors of the socket, of name resolution and of TLS, by `code`. */
const socketVerdicts: Readonly<Record<string, Verdict>> = {
  ECONNREFUSED: { code: 'DatabaseUnavailable', says: 'the connection was refused' },
  ECONNRESET: { code: 'DatabaseUnavailable', says: 'the connection was reset' },
  ECONNABORTED: { code: 'DatabaseUnavailable', says: 'the connection was aborted' },
  EPIPE: { code: 'DatabaseUnavailable', says: 'the connection is closed' },
  ETIMEDOUT: { code: 'DatabaseUnavailable', says: 'the server did not answer in time' },
  EHOSTUNREACH: { code: 'DatabaseUnavailable', says: 'the host cannot be reached' },
  ENETUNREACH: { code: 'DatabaseUnavailable', says: 'the network cannot be reached' },
  ENETDOWN: { code: 'DatabaseUnavailable', says: 'the network is down' },
  // A name that is unknown for a moment is normal in clusters, so it is tried again; schedule-to-close of the
  // first activities of a restore makes a wrong host end.
  ENOTFOUND: { code: 'DatabaseUnavailable', says: 'the host name is not known' },
  EAI_AGAIN: { code: 'DatabaseUnavailable', says: 'the host name could not be looked up' },
  ENOENT: { code: 'DatabaseUnavailable', says: 'no server listens on the socket' },
  EACCES: { code: 'PermissionDenied', says: 'the socket may not be used' },
};

/** What the driver says without any code. */
const driverVerdicts: readonly (readonly [RegExp, Verdict])[] = [
  [
    /^Connection terminated|not queryable|^timeout expired|^Connection ended|^write after end/i,
    { code: 'DatabaseUnavailable', says: 'the connection was lost' },
  ],
  [
    /does not support SSL/i,
    {
      code: 'ConfigInvalid',
      says: 'the server does not offer TLS',
      hint: 'Turn `ssl` off for this database.',
    },
  ],
  [
    /^SASL|password must be a string/i,
    {
      code: 'PermissionDenied',
      says: 'authentication failed',
      hint: 'Give the password of the database user; the server asks for one.',
    },
  ],
];

/**
 * Turns what the driver throws into an error of the closed set: the one place where SQLSTATEs and
 * errors of the socket are classified. Names the constraint or column and the line of the COPY
 * (counted from where that COPY began) where PostgreSQL tells them; never repeats values, which its
 * `detail` and `where` hold. For that reason an error of the server is not kept as `cause` either.
 *
 * A `ThawError` comes back as it is.
 *
 * @throws The error itself when it is neither of PostgreSQL nor of the connection, so that a bug or a
 * cancellation is never taken for an outage.
 */
export function databaseError(error: unknown, context: DatabaseErrorContext): ThawError {
  if (error instanceof ThawError) return error;
  if (error instanceof pg.DatabaseError) return serverError(error, context);
  const verdict = connectionVerdict(error);
  if (verdict === undefined) throw error;
  return new ThawError(verdict.code, `${context.object}: ${verdict.says ?? 'the connection failed'}`, {
    hint: verdict.hint,
    object: context.object,
    stage: context.stage,
    cause: error,
  });
}

/** Tells whether an error, raw or classified, carries one of the SQLSTATEs. */
export function isSqlState(error: unknown, ...codes: readonly string[]): boolean {
  const code =
    error instanceof pg.DatabaseError ? error.code : error instanceof ThawError ? error.sqlstate : undefined;
  return code !== undefined && codes.includes(code);
}

/** Tells whether an error is about the target as a whole: no other archive of the table would fare better. */
export function isAboutTarget(error: ThawError): boolean {
  return (
    error.code === 'PermissionDenied' ||
    error.code === 'TargetMissing' ||
    error.code === 'ConfigInvalid' ||
    error.sqlstate === sqlState.diskFull
  );
}

/** Where in a COPY an error arose: 1-based line of that COPY, and column where one is to blame. */
export interface CopyPosition {
  readonly line: number;
  readonly column: string | undefined;
}

/** Reads the position from the context that PostgreSQL gives: `COPY t, line 3, column a: "…"`, in most of its languages. */
export function copyPosition(error: pg.DatabaseError): CopyPosition | undefined {
  const match = /^COPY .*?, \S+ (\d+)(?:, \S+ (.+?)(?:: (?:"|null)|$))?/ms.exec(error.where ?? '');
  return match ? { line: Number(match[1]), column: match[2] } : undefined;
}

function serverError(error: pg.DatabaseError, context: DatabaseErrorContext): ThawError {
  const position = copyPosition(error);
  const verdict = serverVerdict(error, position, context);
  const says = verdict.says ?? (isOwnMessage(error) ? error.message : 'PostgreSQL refused a statement');
  const column = error.column ?? position?.column;
  const details = [
    column === undefined ? undefined : `column ${column}`,
    error.constraint === undefined ? undefined : `constraint ${error.constraint}`,
    error.code === undefined ? undefined : `SQLSTATE ${error.code}`,
  ].filter((detail) => detail !== undefined);
  return new ThawError(verdict.code, `${context.object}: ${says} (${details.join(', ')})`, {
    hint: verdict.hint,
    object: context.object,
    stage: context.stage,
    line: position?.line,
    column,
    sqlstate: error.code,
  });
}

function serverVerdict(
  error: pg.DatabaseError,
  position: CopyPosition | undefined,
  context: DatabaseErrorContext,
): Verdict {
  const code = error.code ?? '';
  // A policy that a row violates has the SQLSTATE of a missing right.
  if (code === sqlState.insufficientPrivilege && error.routine === 'ExecWithCheckOptions') {
    return { code: 'RowRejected', says: 'a row violates a row-level security policy' };
  }
  if (code === sqlState.insufficientPrivilege) {
    return { code: 'PermissionDenied', hint: grantHint(error, context.object) };
  }
  // No memory has the same SQLSTATE; in the hint of the server the setting is named in every language.
  if (/max_(pred_)?locks_per_transaction/.test(error.hint ?? '')) {
    return {
      code: 'ConfigInvalid',
      says: 'PostgreSQL has no room for so many locks',
      hint: 'Raise max_locks_per_transaction of its server, which takes a restart. A bundle takes few locks under upsert, skip and sync, or with some of its models at a time.',
    };
  }
  // Input functions of some extensions raise no SQLSTATE of their own for a bad value.
  if (code.startsWith('XX') && position) {
    return { code: 'RowRejected', says: 'a value is not valid for its column' };
  }
  return verdicts[code] ?? verdicts[code.slice(0, 2)] ?? { code: 'DatabaseUnavailable' };
}

/** What raised inside a function of the user may hold anything, rows too. */
function isOwnMessage(error: pg.DatabaseError): boolean {
  return error.routine !== 'exec_stmt_raise' && !/\bfunction\b/i.test(error.where ?? '');
}

/** The right that helps, as far as it can be told from where PostgreSQL checked it. */
function grantHint(error: pg.DatabaseError, object: string): string {
  return error.routine === 'CheckMyDatabase'
    ? 'As the owner of the database, run: grant connect on database … to the user that Thaw connects as.'
    : `As an owner, grant what is missing to the user that Thaw connects as; for the table: grant select, insert, update on ${object}.`;
}

function connectionVerdict(error: unknown): Verdict | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const socket = Object.hasOwn(socketVerdicts, code) ? socketVerdicts[code] : undefined;
  if (socket) return socket;
  if (/CERT|^ERR_TLS_|^ERR_SSL_|UNABLE_TO_/.test(code)) {
    return {
      code: 'ConfigInvalid',
      says: `the certificate of the server is not accepted (${code})`,
      hint: 'Give the right certificate authority in `ssl`, or a host name that the certificate is for.',
    };
  }
  return driverVerdicts.find(([pattern]) => pattern.test(error.message))?.[1];
}
