import type { Context, ErrorHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Logger } from 'pino';
import { isTemporalUnavailable } from '../client/temporal-error.ts';
import { errorTraits } from '../contract/error-code.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError, type ApiErrorCode } from './api-error.ts';
import type { Caller } from './caller.ts';

/** Documented names of the statuses that errors of the closed set have. */
const codeOfStatus: Readonly<Record<number, ApiErrorCode>> = {
  400: 'BAD_REQUEST',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  413: 'BODY_TOO_LARGE',
  422: 'UNPROCESSABLE_ENTITY',
  429: 'TOO_MANY_REQUESTS',
  503: 'SERVICE_UNAVAILABLE',
};

/** Makes every error into the envelope `{"success":false,"error","error_code","data"}`. */
export function errorHandler(logger: Logger): ErrorHandler<ApiEnv> {
  return (error, context) => {
    const requestId = context.get('requestId');
    const answer = toApiError(error) ?? unforeseen(requestId);
    if (answer.code === 'INTERNAL_ERROR') logger.error({ err: error, requestId }, 'request failed');
    else if (refusals.has(answer.status)) logger.warn(refusalOf(answer, context), 'request refused');
    else if (answer.code === 'SERVICE_UNAVAILABLE') {
      logger.warn({ err: answer.cause ?? error, requestId }, 'request could not be served');
    }
    for (const [name, value] of Object.entries(answer.headers)) context.header(name, value);
    // The rest of the body is not waited for: whoever asks again does so on another connection.
    if (answer.code === 'BODY_TOO_LARGE') context.header('Connection', 'close');
    return context.json(envelopeOf(answer), answer.status);
  };
}

/** Statuses of requests that were refused for who asks, or how often. */
const refusals: ReadonlySet<number> = new Set([401, 403, 429]);

/** What is logged of a refusal: who asked for what, and never the token. */
function refusalOf({ code, message }: ApiError, context: Context<ApiEnv>): object {
  const { method, path } = context.req;
  // Absent where no token was accepted.
  const caller = context.get('caller') as Caller | undefined;
  const { subject, tenant } = caller ?? {};
  return { requestId: context.get('requestId'), method, path, code, reason: message, subject, tenant };
}

/** The body of an error's answer. */
export function envelopeOf(error: ApiError): {
  readonly success: false;
  readonly error: string;
  readonly error_code: ApiErrorCode;
  readonly data?: Readonly<Record<string, unknown>>;
} {
  const { message, code, data } = error;
  const head = { success: false, error: message, error_code: code } as const;
  return Object.keys(data).length === 0 ? head : { ...head, data };
}

/** The answer that an error stands for; null for one that nobody foresaw. */
export function toApiError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error;
  if (error instanceof ThawError) return fromThawError(error);
  if (error instanceof HTTPException) {
    return new ApiError(codeOfStatus[error.status] ?? 'BAD_REQUEST', error.message || 'Bad request.');
  }
  return isTemporalUnavailable(error) ? temporalUnavailable(error) : null;
}

function fromThawError(error: ThawError): ApiError {
  const invalid = error.code === 'InputInvalid';
  const status = errorTraits[error.code].http;
  return new ApiError(
    invalid ? 'VALIDATION_ERROR' : (codeOfStatus[status] ?? 'INTERNAL_ERROR'),
    error.message,
    {
      hint: error.hint,
      data: {
        code: error.code,
        ...(error.object === undefined ? {} : { object: error.object }),
        ...(invalid ? { validation_errors: error.message.split('\n').map(validationError) } : {}),
      },
      ...(status === 429 ? { headers: { 'Retry-After': '60' } } : {}),
      cause: error,
    },
  );
}

/** Takes a line `field: reason` apart. */
function validationError(line: string): { field: string | null; message: string } {
  const [, field, message] = /^([\w.[\]-]+): (.+)$/s.exec(line) ?? [];
  return { field: field ?? null, message: message ?? line };
}

function temporalUnavailable(error: unknown): ApiError {
  return new ApiError('SERVICE_UNAVAILABLE', 'Temporal or a worker did not answer in time.', {
    hint: 'Ask again. GET /readyz tells whether Temporal can be reached; a run is answered for by a worker: start one with `thaw worker`.',
    headers: { 'Retry-After': '5' },
    cause: error,
  });
}

/** Says nothing of what happened but the id under which the log has it. */
function unforeseen(requestId: string): ApiError {
  return new ApiError('INTERNAL_ERROR', 'An unexpected error occurred.', {
    hint: `The log of the API tells more about request ${requestId}.`,
    data: { request_id: requestId },
  });
}
