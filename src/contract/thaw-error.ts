import { type ErrorCode, errorTraits } from './error-code.ts';

/** The stage of a load in which an error arose; it stands in failures so that the UI tells which it was. */
export type Stage = 'list' | 'metadata' | 'download' | 'decompress' | 'slice' | 'copy' | 'merge' | 'commit';

/** What may be said of an error besides its code and message. */
export interface ThawErrorOptions {
  /** What to do next; the code's own hint when absent. */
  readonly hint?: string | undefined;
  /** The archive key, table or setting that the error is about. */
  readonly object?: string | undefined;
  readonly stage?: Stage | undefined;
  /** 1-based line of the archive, where one line is to blame. */
  readonly line?: number | undefined;
  /** The column of the table, where one is to blame. */
  readonly column?: string | undefined;
  /** PostgreSQL's SQLSTATE, where PostgreSQL raised it. */
  readonly sqlstate?: string | undefined;
  readonly cause?: unknown;
}

/**
 * An error of the closed set: what happened, to which object, what to do next.
 * Message, hint and object never hold a secret or the content of a row.
 */
export class ThawError extends Error {
  override readonly name = 'ThawError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly object: string | undefined;
  readonly stage: Stage | undefined;
  readonly line: number | undefined;
  readonly column: string | undefined;
  readonly sqlstate: string | undefined;

  constructor(code: ErrorCode, message: string, options: ThawErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? errorTraits[code].hint;
    this.object = options.object;
    this.stage = options.stage;
    this.line = options.line;
    this.column = options.column;
    this.sqlstate = options.sqlstate;
  }

  /** Whether the same attempt may succeed later without anybody changing anything. */
  get retryable(): boolean {
    return errorTraits[this.code].retryable;
  }
}
