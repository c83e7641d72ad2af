import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { restoreStates } from '../contract/progress.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { controlBody, controlInput, readControl } from './control-input.ts';
import { limitBody } from './json-body.ts';
import { runIdParam } from './path-params.ts';
import { runJson } from './run-json.ts';
import type { Runs, Verb } from './runs.ts';

const readRoute = createRoute({
  method: 'get',
  path: '/api/runs/{runId}',
  summary: 'A run: state, progress, counts, failures',
  request: { params: runIdParam },
  responses: { 200: answer('The run as it stands.', runJson), ...errorAnswers(401, 403, 404, 503) },
});

const controlled = z
  .object({ run_id: z.string(), message: z.string(), state: z.enum(restoreStates) })
  .openapi('Controlled');

/** The route of a message to a run. */
function controlRoute<const V extends Verb>(verb: V, summary: string) {
  return createRoute({
    method: 'post',
    path: `/api/runs/{runId}/${verb}`,
    summary,
    middleware: [limitBody] as const,
    request: { params: runIdParam, body: controlBody },
    responses: {
      200: answer('It is done or has begun.', controlled),
      ...errorAnswers(400, 401, 403, 404, 408, 409, 413, 415, 503),
    },
  });
}

const pauseRoute = controlRoute('pause', 'Starts nothing more until the run is resumed');
const resumeRoute = controlRoute('resume', 'Goes on with a paused run');
const cancelRoute = controlRoute('cancel', 'Ends a run; what was committed stands');

/** What runs answer to, under `/api/runs`. */
export function addRunRoutes(app: OpenAPIHono<ApiEnv>, runs: Runs): void {
  app.openAPIRegistry.register('Control', controlInput);

  app.openapi(readRoute, async (context) => {
    const run = await runs.detail(context.req.valid('param').runId, context.get('caller'));
    return context.json(success(run), 200);
  });

  app.openapi(pauseRoute, async (context) => {
    const { runId } = context.req.valid('param');
    const state = await runs.tell(runId, context.get('caller'), 'pause', await readControl(context));
    return context.json(success({ run_id: runId, message: `Restore ${state}`, state }), 200);
  });

  app.openapi(resumeRoute, async (context) => {
    const { runId } = context.req.valid('param');
    const state = await runs.tell(runId, context.get('caller'), 'resume', await readControl(context));
    return context.json(success({ run_id: runId, message: 'Restore resumed', state }), 200);
  });

  app.openapi(cancelRoute, async (context) => {
    const { runId } = context.req.valid('param');
    const state = await runs.tell(runId, context.get('caller'), 'cancel', await readControl(context));
    return context.json(success({ run_id: runId, message: 'Restore is being cancelled', state }), 200);
  });
}
