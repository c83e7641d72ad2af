import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ApiError } from './api-error.ts';
import { readBody } from './request-body.ts';

const megabyte = 1024 * 1024;
const limits = { bytes: megabyte, patience: 30 };

/** Refuses bodies over 1 MiB. */
export const limitBody: MiddlewareHandler = bodyLimit({
  maxSize: megabyte,
  onError: () => {
    throw new ApiError('BODY_TOO_LARGE', 'The body is larger than 1 MiB.');
  },
});

/**
 * Reads the JSON of a request.
 *
 * @throws ApiError `MISSING_CONTENT_TYPE`, `UNSUPPORTED_MEDIA_TYPE`, `JSON_PARSE_ERROR`, and what `readBody` raises
 */
export async function readJson(context: Context): Promise<unknown> {
  requireJson(context.req.header('content-type'));
  return parse(await readText(context));
}

/** Reads the JSON of a request that need not have any; no body is `{}`. */
export async function readOptionalJson(context: Context): Promise<unknown> {
  const text = await readText(context);
  if (text === '') return {};
  requireJson(context.req.header('content-type'));
  return parse(text);
}

async function readText(context: Context): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readBody(context, limits)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Also what keeps pages of other sites from sending one: a browser asks first for any type but those of forms. */
function requireJson(contentType: string | undefined): void {
  if (contentType === undefined) {
    throw new ApiError('MISSING_CONTENT_TYPE', 'The Content-Type is missing; it must be application/json.');
  }
  if (contentType.split(';')[0]?.trim().toLowerCase() === 'application/json') return;
  throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'The Content-Type must be application/json.');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text, refuseUnkept);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError('JSON_PARSE_ERROR', 'The body is not valid JSON.', { cause: error });
  }
}

/** NUL, and half of a character that takes two: JSON can write them, and PostgreSQL keeps neither. */
const unkept = /[\0\p{Surrogate}]/u;

function refuseUnkept(name: string, value: unknown): unknown {
  if (unkept.test(name) || (typeof value === 'string' && unkept.test(value))) {
    throw new ApiError('VALIDATION_ERROR', 'the body: must not hold NUL or half of a character');
  }
  return value;
}
