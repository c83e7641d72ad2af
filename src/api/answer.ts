import { z } from '@hono/zod-openapi';
import { type ApiErrorCode, apiErrorStatus } from './api-error.ts';

/** The envelope of what went well. */
export function success<T>(data: T): { success: true; data: T } {
  return { success: true, data };
}

const errorEnvelope = z
  .object({
    success: z.literal(false),
    error: z.string(),
    error_code: z.enum(Object.keys(apiErrorStatus) as ApiErrorCode[]),
    data: z
      .looseObject({
        code: z.string().optional().openapi({ description: "Thaw's own code, such as TargetBusy." }),
        hint: z.string().optional().openapi({ description: 'What to do next.' }),
      })
      .optional(),
  })
  .openapi('Error');

/** An answer of a route, for its OpenAPI description. */
export function answer<T extends z.ZodType>(description: string, data: T) {
  return {
    description,
    content: { 'application/json': { schema: z.object({ success: z.literal(true), data }) } },
  };
}

const descriptions: Readonly<Record<number, string>> = {
  400: 'The request is not valid.',
  401: 'A bearer token is missing or wrong.',
  403: 'Not allowed.',
  404: 'There is no such run, archive or table.',
  408: 'The body came too slowly.',
  409: 'It does not go with what is there already.',
  410: 'It was there, and was removed as its time is over.',
  413: 'The body is too large: JSON of more than 1 MiB, or a bundle over the limit.',
  415: 'The body is of another type than the route takes.',
  429: 'More starts than this tenant may ask for in a minute.',
  503: 'Temporal, a worker or a database did not answer.',
};

/** The errors that a route may answer with, for its OpenAPI description. */
export function errorAnswers<S extends number>(...statuses: S[]) {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: descriptions[status] ?? 'An error.',
        content: { 'application/json': { schema: errorEnvelope } },
      },
    ]),
  ) as Record<S, { description: string; content: { 'application/json': { schema: typeof errorEnvelope } } }>;
}
