import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError } from './api-error.ts';

/** What the API needs to be of use; true where it is there. */
export interface Readiness {
  readonly configuration: boolean;
  readonly temporal: boolean;
  readonly database: boolean;
}

const healthRoute = createRoute({
  method: 'get',
  path: '/healthz',
  summary: 'Whether the process is up',
  security: [],
  responses: { 200: answer('It is.', z.object({ status: z.literal('ok') })) },
});

const readyRoute = createRoute({
  method: 'get',
  path: '/readyz',
  summary: 'Whether restores can be asked for',
  security: [],
  responses: {
    200: answer(
      'They can.',
      z.object({
        status: z.literal('ready'),
        checks: z.object({ configuration: z.boolean(), temporal: z.boolean(), database: z.boolean() }),
      }),
    ),
    ...errorAnswers(503),
  },
});

/** `/healthz` and `/readyz`. */
export function addHealthRoutes(app: OpenAPIHono<ApiEnv>, readiness: () => Promise<Readiness>): void {
  app.openapi(healthRoute, (context) => context.json(success({ status: 'ok' as const }), 200));

  app.openapi(readyRoute, async (context) => {
    const checks = await readiness();
    const missing = Object.entries(checks).flatMap(([name, there]) => (there ? [] : [name]));
    if (missing.length > 0) {
      throw new ApiError('SERVICE_UNAVAILABLE', `Not ready: ${missing.join(', ')}.`, {
        hint: 'temporal: check TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE; database: check THAW_DATABASE_URL; and that the servers run.',
        data: { checks },
      });
    }
    return context.json(success({ status: 'ready' as const, checks }), 200);
  });
}
