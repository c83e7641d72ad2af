import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { parseInput } from '../client/restore-input.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { bundleParts } from '../contract/run-request.ts';
import type { ControlClient, ControlDatabase } from '../control/control-database.ts';
import { readActiveExtractRun } from '../control/extract-runs.ts';
import {
  type ExtractRow,
  type ExtractSettings,
  extractListing,
  insertExtract,
  readExtract,
  trashExtract,
  updateExtract,
} from '../control/extracts.ts';
import { listPage } from '../control/list.ts';
import { demandAccess } from './access.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError } from './api-error.ts';
import { type Caller, visibleTenant } from './caller.ts';
import { extractChange, extractCreation, extractRecord, toExtractRecord } from './extract-record.ts';
import { databaseOf, extractNotFound } from './extract-runs.ts';
import { limitBody, readJson } from './json-body.ts';
import { linkNextPage, listParameters, readListQuery } from './list-query.ts';

const collection = '/api/data/extracts';
const path = `${collection}/{id}`;
const params = z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' } }) });
const record = answer('The saved extract.', extractRecord);

/** A body that the route reads and checks by itself. */
function bodyOf(name: string) {
  return {
    required: true,
    content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } },
  };
}

const createRouteOfExtracts = createRoute({
  method: 'post',
  path: collection,
  summary: 'Saves an extract',
  middleware: [limitBody] as const,
  request: { body: bodyOf('ExtractCreation') },
  responses: { 201: record, ...errorAnswers(400, 401, 403, 408, 413, 415, 503) },
});

const listRoute = createRoute({
  method: 'get',
  path: collection,
  summary: 'Saved extracts',
  request: { query: listParameters },
  responses: {
    200: answer('A page; a Link header tells where the next one is.', z.array(extractRecord)),
    ...errorAnswers(400, 401, 403, 503),
  },
});

const readRoute = createRoute({
  method: 'get',
  path,
  summary: 'A saved extract',
  request: { params },
  responses: { 200: record, ...errorAnswers(401, 403, 404, 503) },
});

/** The route of a change. */
function changeRoute<const M extends 'put' | 'patch'>(method: M) {
  return createRoute({
    method,
    path,
    summary: 'Changes settings of a saved extract; what is absent stays as it is',
    middleware: [limitBody] as const,
    request: { params, body: bodyOf('ExtractChange') },
    responses: { 200: record, ...errorAnswers(400, 401, 403, 404, 408, 413, 415, 503) },
  });
}

const putRoute = changeRoute('put');
const patchRoute = changeRoute('patch');

const deleteRoute = createRoute({
  method: 'delete',
  path,
  summary: 'Deletes a saved extract; its runs and bundles stay',
  request: { params },
  responses: { 200: record, ...errorAnswers(401, 403, 404, 409, 503) },
});

/** `/api/data/extracts`: saved extracts. */
export function addExtractRoutes(
  app: OpenAPIHono<ApiEnv>,
  control: ControlDatabase,
  config: ThawConfig,
): void {
  app.openAPIRegistry.register('ExtractCreation', extractCreation);
  app.openAPIRegistry.register('ExtractChange', extractChange);

  app.openapi(createRouteOfExtracts, async (context) => {
    const caller = context.get('caller');
    const settings = settingsOf(config, parseInput(extractCreation, await readJson(context)), caller);
    const row = await control.use((client) => insertExtract(client, caller.tenant, caller.subject, settings));
    context.header('Location', `${collection}/${row.id}`);
    return context.json(success(toExtractRecord(row)), 201);
  });

  app.openapi(listRoute, async (context) => {
    const query = readListQuery(context);
    const tenant = visibleTenant(context.get('caller'));
    const page = await control.use((client) => listPage<ExtractRow>(client, extractListing, query, tenant));
    linkNextPage(context, query, page);
    return context.json(success(page.rows.map(toExtractRecord)), 200);
  });

  app.openapi(readRoute, async (context) => {
    const { id } = context.req.valid('param');
    const row = await control.use((client) => find(client, id, context.get('caller')));
    return context.json(success(toExtractRecord(row)), 200);
  });

  const changed = async (id: string, caller: Caller, body: unknown) => {
    const input = parseInput(extractChange, body);
    return control.transaction(async (client) => {
      const row = await find(client, id, caller, 'for update');
      const { name, description, include, models, enabled, options } = row;
      const whole = parseInput(extractCreation, {
        ...{ name, description, include, models, enabled, options },
        ...input,
      });
      return toExtractRecord(await updateExtract(client, row.id, settingsOf(config, whole, caller)));
    });
  };
  app.openapi(putRoute, async (context) => {
    const { id } = context.req.valid('param');
    return context.json(success(await changed(id, context.get('caller'), await readJson(context))), 200);
  });
  app.openapi(patchRoute, async (context) => {
    const { id } = context.req.valid('param');
    return context.json(success(await changed(id, context.get('caller'), await readJson(context))), 200);
  });

  app.openapi(deleteRoute, async (context) => {
    const { id } = context.req.valid('param');
    const row = await control.transaction(async (client) => {
      const extract = await find(client, id, context.get('caller'), 'for update');
      const run = await readActiveExtractRun(client, extract.id);
      if (run !== null) throw stillRuns(run.id);
      return trashExtract(client, extract.id);
    });
    return context.json(success(toExtractRecord(row)), 200);
  });
}

/** The schema is that of whoever saves it, and so stays it: root may run the extract of another tenant. */
function settingsOf(
  config: ThawConfig,
  input: z.output<typeof extractCreation>,
  caller: Caller,
): ExtractSettings {
  const { name, description = null, include = [...bundleParts], models = null, enabled = true } = input;
  const database = databaseOf(config, input.options ?? {});
  const namespace = input.options?.namespace ?? caller.namespace;
  if (namespace !== caller.namespace) demandAccess(caller, 'root', `The schema ${namespace}`);
  return { name, description, include, models, enabled, options: { database, namespace } };
}

async function find(
  client: ControlClient,
  id: string,
  caller: Caller,
  lock: 'for update' | '' = '',
): Promise<ExtractRow> {
  const row = id.includes('\0') ? null : await readExtract(client, id, visibleTenant(caller), lock);
  if (row === null) throw extractNotFound(id);
  return row;
}

function stillRuns(runId: string): ApiError {
  return new ApiError('CONFLICT', `The extract is running: run ${runId}.`, {
    hint: 'Wait for its end, or cancel it.',
    data: { run_id: runId },
  });
}
