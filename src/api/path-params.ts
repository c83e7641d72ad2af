import { z } from '@hono/zod-openapi';

/** The id of a record in a path. */
export function idParam(description: string) {
  return z.object({ id: z.string().openapi({ description, param: { name: 'id', in: 'path' } }) });
}

/** The id of a run in a path. */
export const runIdParam = z.object({
  runId: z.string().openapi({
    description: 'The run_id that the start of the run was answered with.',
    param: { name: 'runId', in: 'path' },
  }),
});
