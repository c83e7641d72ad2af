/** The error codes of the API document, each with its HTTP status. */
export const apiErrorStatus = {
  BAD_REQUEST: 400,
  VALIDATION_ERROR: 400,
  JSON_PARSE_ERROR: 400,
  MISSING_CONTENT_TYPE: 400,
  AUTH_TOKEN_REQUIRED: 401,
  AUTH_TOKEN_INVALID: 401,
  AUTH_TOKEN_EXPIRED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  RECORD_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  CONFLICT: 409,
  GONE: 410,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  UNPROCESSABLE_ENTITY: 422,
  TOO_MANY_REQUESTS: 429,
  INTERNAL_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
} as const;

/** A code that the `error_code` of an answer may have. */
export type ApiErrorCode = keyof typeof apiErrorStatus;

/** What may be said of an error besides its code and message. */
export interface ApiErrorOptions {
  /** What to do next; becomes `data.hint`. */
  readonly hint?: string;
  /** Further fields of `data`. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** Headers that the status asks for, such as `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An error that is an answer: thrown anywhere below a route, made into the envelope in one place. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  readonly data: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ApiErrorCode, message: string, options: ApiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.data = { ...options.data, ...(options.hint === undefined ? {} : { hint: options.hint }) };
    this.headers = options.headers ?? {};
  }

  /** The HTTP status of the answer. */
  get status() {
    return apiErrorStatus[this.code];
  }
}

/** No run has that id, or none that the caller may see. */
export function runNotFound(runId: string): ApiError {
  return new ApiError('RECORD_NOT_FOUND', `No run ${runId} is known.`, {
    hint: 'GET /api/data/restore_runs lists those that are.',
  });
}

/** No restore of that id is saved, or none that the caller may see. */
export function restoreNotFound(id: string): ApiError {
  return new ApiError('RECORD_NOT_FOUND', `No restore ${id} is saved.`, {
    hint: 'GET /api/data/restores lists those that are.',
  });
}
