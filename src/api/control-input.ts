import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { parseInput } from '../client/restore-input.ts';
import { readOptionalJson } from './json-body.ts';
import type { Message } from './runs.ts';

/** What may be said along with a pause, a resume or a cancel. */
export const controlInput = z
  .strictObject({
    reason: z.string('must be text').max(500, 'must have at most 500 characters').nullish(),
    now: z.boolean('must be true or false').optional().openapi({
      description:
        'Of a pause: rolls back what is being loaded; it is loaded again after resume. A cancel always does.',
    }),
  })
  .openapi('Control', { example: { reason: 'maintenance' } });

/** The body of such a request, as OpenAPI describes it: a reference, so that no body is one too. */
export const controlBody = {
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Control' } } },
};

/** Reads it. @throws ThawError `InputInvalid` */
export async function readControl(context: Context): Promise<Message> {
  const { reason, now } = parseInput(controlInput, await readOptionalJson(context));
  return { reason: reason ?? null, now: now ?? false };
}
