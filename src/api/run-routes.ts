import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { restoreStates } from '../contract/progress.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { limitBody, readOptionalJson } from './json-body.ts';
import { runJson, toRunJson } from './run-json.ts';
import { runRecord, toRunRecord } from './run-record.ts';
import type { Runs } from './runs.ts';

const params = z.object({ runId: z.string().openapi({ param: { name: 'runId', in: 'path' } }) });

const readRoute = createRoute({
  method: 'get',
  path: '/api/runs/{runId}',
  summary: 'A run: state, progress, counts, failures',
  request: { params },
  responses: { 200: answer('The run as it stands.', runJson), ...errorAnswers(401, 403, 404, 503) },
});

const readRecordRoute = createRoute({
  method: 'get',
  path: '/api/data/restore_runs/{runId}',
  summary: 'A run as the documented restore_runs record',
  request: { params },
  responses: { 200: answer('The record.', runRecord), ...errorAnswers(401, 403, 404, 503) },
});

const controlInput = z
  .strictObject({
    reason: z.string('must be text').max(500, 'must have at most 500 characters').nullish(),
    now: z.boolean('must be true or false').optional().openapi({
      description:
        'Of a pause: rolls back what is being loaded; it is loaded again after resume. A cancel always does.',
    }),
  })
  .openapi('Control');

const controlled = z
  .object({ run_id: z.string(), message: z.string(), state: z.enum(restoreStates) })
  .openapi('Controlled');

/** The route of a message to a run. */
function controlRoute<const V extends 'pause' | 'resume' | 'cancel'>(verb: V, summary: string) {
  return createRoute({
    method: 'post',
    path: `/api/runs/{runId}/${verb}`,
    summary,
    middleware: [limitBody] as const,
    request: {
      params,
      // A reference, so that no body is one too: readOptionalJson reads it.
      body: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Control' } } } },
    },
    responses: {
      200: answer('It is done or has begun.', controlled),
      ...errorAnswers(400, 401, 403, 404, 409, 413, 415, 503),
    },
  });
}

const pauseRoute = controlRoute('pause', 'Starts nothing more until the run is resumed');
const resumeRoute = controlRoute('resume', 'Goes on with a paused run');
const cancelRoute = controlRoute('cancel', 'Ends a run; what was committed stands');

/** What runs answer to, under `/api/runs` and `/api/data/restore_runs`. */
export function addRunRoutes(app: OpenAPIHono<ApiEnv>, runs: Runs): void {
  app.openAPIRegistry.register('Control', controlInput);

  app.openapi(readRoute, async (context) => {
    const run = await runs.find(context.req.valid('param').runId);
    return context.json(success(toRunJson(run)), 200);
  });

  app.openapi(readRecordRoute, async (context) => {
    const run = await runs.find(context.req.valid('param').runId);
    return context.json(success(toRunRecord(run)), 200);
  });

  app.openapi(pauseRoute, async (context) => {
    const { runId } = context.req.valid('param');
    const { reason, now } = await readControl(context);
    const state = await runs.pause(runId, reason ?? null, now ?? false);
    return context.json(success({ run_id: runId, message: `Restore ${state}`, state }), 200);
  });

  app.openapi(resumeRoute, async (context) => {
    const { runId } = context.req.valid('param');
    await readControl(context);
    const state = await runs.resume(runId);
    return context.json(success({ run_id: runId, message: 'Restore resumed', state }), 200);
  });

  app.openapi(cancelRoute, async (context) => {
    const { runId } = context.req.valid('param');
    const { reason } = await readControl(context);
    await runs.cancel(runId, reason ?? null);
    const state = 'cancelling' as const;
    return context.json(success({ run_id: runId, message: 'Restore is being cancelled', state }), 200);
  });
}

async function readControl(context: Context): Promise<z.output<typeof controlInput>> {
  const result = controlInput.safeParse(await readOptionalJson(context));
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? `${issue.keys.join(', ')}: is not known`
      : `${issue.path.join('.') || 'the body'}: ${issue.message}`,
  );
  throw new ThawError('InputInvalid', lines.join('\n'), { object: lines[0]?.split(':')[0] });
}
