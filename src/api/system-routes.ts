import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { parseInput } from '../client/restore-input.ts';
import type { LoadedSystem } from '../config/load-system.ts';
import { decisionActions } from '../contract/system-request.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError } from './api-error.ts';
import { keyHeader } from './idempotency.ts';
import { limitBody, readJson, readOptionalJson } from './json-body.ts';
import { runIdParam } from './path-params.ts';
import { accepted, acceptedOf, ownerOf } from './restore-routes.ts';
import type { RunStarter } from './run-starter.ts';
import type { Runs } from './runs.ts';
import type { Sources } from './sources/sources.ts';
import { systemOptions } from './sources/systems.ts';

/** What systems take besides what runs do. */
export interface SystemRouteDependencies {
  readonly starter: RunStarter;
  readonly sources: Sources;
  readonly runs: Runs;
  readonly loadSystems: () => Promise<readonly LoadedSystem[]>;
}

const system = z
  .object({
    name: z.string(),
    checklist: z.array(z.string()).openapi({ description: 'What has to be done before it is restored.' }),
    databases: z.array(z.object({ service: z.string(), dump: z.string(), after: z.array(z.string()) })),
  })
  .openapi('System');

const listRoute = createRoute({
  method: 'get',
  path: '/api/systems',
  summary: 'Systems that can be restored as a whole',
  responses: { 200: answer('The systems.', z.array(system)), ...errorAnswers(400, 401, 403, 503) },
});

const startRoute = createRoute({
  method: 'post',
  path: '/api/systems/{name}/restore',
  summary: 'Restores all databases of a system, or none',
  description:
    "What is stopped and started stands in the workers' system.yaml alone. Whoever asks has done its checklist.",
  middleware: [limitBody] as const,
  request: {
    params: z.object({
      name: z
        .string()
        .openapi({ description: 'As system.yaml names it.', param: { name: 'name', in: 'path' } }),
    }),
    headers: keyHeader,
    body: { content: { 'application/json': { schema: { $ref: '#/components/schemas/SystemInput' } } } },
  },
  responses: {
    202: answer('The restore is accepted.', accepted),
    ...errorAnswers(400, 401, 403, 404, 408, 409, 413, 415, 429, 503),
  },
});

const decision = z
  .strictObject(
    {
      step: z.string('must be text').min(1, 'must not be empty').max(500, 'must have at most 500 characters'),
      action: z.enum(decisionActions, `must be one of ${decisionActions.join(', ')}`),
    },
    'must be an object of settings',
  )
  .openapi('Decision', { example: { step: 'restore:argus', action: 'retry' } });

const decideRoute = createRoute({
  method: 'post',
  path: '/api/runs/{runId}/decide',
  summary: 'Decides what becomes of a step of a system that failed and waits',
  middleware: [limitBody] as const,
  request: {
    params: runIdParam,
    body: {
      required: true,
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Decision' } } },
    },
  },
  responses: {
    200: answer('It is decided.', z.object({ run_id: z.string(), message: z.string() })),
    ...errorAnswers(400, 401, 403, 404, 408, 409, 413, 415, 503),
  },
});

/** Systems, and what an operator decides while one is restored. */
export function addSystemRoutes(
  app: OpenAPIHono<ApiEnv>,
  { starter, sources, runs, loadSystems }: SystemRouteDependencies,
): void {
  app.openAPIRegistry.register('SystemInput', z.strictObject(systemOptions.shape).openapi({ example: {} }));
  app.openAPIRegistry.register('Decision', decision);

  app.openapi(listRoute, async (context) => {
    const systems = (await loadSystems()).map(({ system: { name, checklist, databases } }) => ({
      ...{ name, checklist },
      databases: databases.map(({ service, dump, after }) => ({ service, dump, after })),
    }));
    return context.json(success(systems), 200);
  });

  app.openapi(startRoute, async (context) => {
    const owner = ownerOf(context);
    const { name } = context.req.valid('param');
    const options = await readOptionalJson(context);
    // What a saved restore has besides is not known here.
    parseInput(systemOptions, options);
    if (!(await loadSystems()).some((one) => one.system.name === name)) throw systemNotFound(name);
    const body = { ...(options as object), source_ref: name };
    const settings = sources.of('system').settingsOnce(body, owner.caller);
    return context.json(success(acceptedOf(context, await starter.startOnce(settings, owner))), 202);
  });

  app.openapi(decideRoute, async (context) => {
    const { runId } = context.req.valid('param');
    const said = parseInput(decision, await readJson(context));
    await runs.decide(runId, context.get('caller'), said);
    return context.json(success({ run_id: runId, message: `${said.step}: ${said.action}` }), 200);
  });
}

function systemNotFound(name: string): ApiError {
  return new ApiError('RECORD_NOT_FOUND', `No system ${name} is configured.`, {
    hint: 'GET /api/systems lists those that are.',
  });
}
