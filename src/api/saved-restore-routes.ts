import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { parseInput } from '../client/restore-input.ts';
import type { ControlClient, ControlDatabase } from '../control/control-database.ts';
import { listPage } from '../control/list.ts';
import {
  insertRestore,
  type RestoreRow,
  type RestoreSettings,
  readRestore,
  restoreListing,
  trashRestore,
  updateRestore,
} from '../control/restores.ts';
import { readActiveRun } from '../control/runs.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError, restoreNotFound } from './api-error.ts';
import { type Caller, visibleTenant } from './caller.ts';
import { limitBody, readJson } from './json-body.ts';
import { linkNextPage, listParameters, readListQuery } from './list-query.ts';
import { restoreChange, restoreCreation, restoreRecord, toRestoreRecord } from './restore-record.ts';
import type { Sources } from './sources/sources.ts';

const collection = '/api/data/restores';
const path = `${collection}/{id}`;
const params = z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' } }) });
const record = answer('The saved restore.', restoreRecord);

/** A body that the route reads and checks by itself. */
function bodyOf(schema: object) {
  return { required: true, content: { 'application/json': { schema } } };
}

const creation = { $ref: '#/components/schemas/RestoreCreation' };
const change = bodyOf({ $ref: '#/components/schemas/RestoreChange' });

const createOneRoute = createRoute({
  method: 'post',
  path: collection,
  summary: 'Saves a restore, or several: all of them or none',
  middleware: [limitBody] as const,
  request: { body: bodyOf({ anyOf: [creation, { type: 'array', items: creation, minItems: 1 }] }) },
  responses: {
    201: answer(
      'What was saved: an object for an object, a list for a list.',
      z.union([restoreRecord, z.array(restoreRecord)]),
    ),
    ...errorAnswers(400, 401, 403, 413, 415, 503),
  },
});

const listRoute = createRoute({
  method: 'get',
  path: collection,
  summary: 'Saved restores',
  request: { query: listParameters },
  responses: {
    200: answer('A page; a Link header tells where the next one is.', z.array(restoreRecord)),
    ...errorAnswers(400, 401, 403, 503),
  },
});

const readRoute = createRoute({
  method: 'get',
  path,
  summary: 'A saved restore',
  request: { params },
  responses: { 200: record, ...errorAnswers(401, 403, 404, 503) },
});

/** The route of a change. */
function changeRoute<const M extends 'put' | 'patch'>(method: M) {
  return createRoute({
    method,
    path,
    summary: 'Changes settings of a saved restore; what is absent stays as it is',
    description: 'A run that is under way goes on with the settings that it began with.',
    middleware: [limitBody] as const,
    request: { params, body: change },
    responses: { 200: record, ...errorAnswers(400, 401, 403, 404, 413, 415, 503) },
  });
}

const putRoute = changeRoute('put');
const patchRoute = changeRoute('patch');

const deleteRoute = createRoute({
  method: 'delete',
  path,
  summary: 'Deletes a saved restore; its runs and logs stay',
  request: { params },
  responses: { 200: record, ...errorAnswers(401, 403, 404, 409, 503) },
});

/** `/api/data/restores`: saved restores. */
export function addSavedRestoreRoutes(
  app: OpenAPIHono<ApiEnv>,
  control: ControlDatabase,
  sources: Sources,
): void {
  app.openAPIRegistry.register('RestoreCreation', restoreCreation);
  app.openAPIRegistry.register('RestoreChange', restoreChange);

  app.openapi(createOneRoute, async (context) => {
    const body = await readJson(context);
    const settings = parseMany(body).map((each) => settingsOf(sources, each));
    const rows = await control.transaction(async (client) => {
      const saved: RestoreRow[] = [];
      for (const each of settings) {
        saved.push(await insertRestore(client, context.get('caller'), each));
      }
      return saved;
    });
    const records = rows.map(toRestoreRecord);
    const [first] = records;
    if (Array.isArray(body) || first === undefined) return context.json(success(records), 201);
    context.header('Location', `${collection}/${first.id}`);
    return context.json(success(first), 201);
  });

  app.openapi(listRoute, async (context) => {
    const query = readListQuery(context);
    const tenant = visibleTenant(context.get('caller'));
    const page = await control.use((client) => listPage<RestoreRow>(client, restoreListing, query, tenant));
    linkNextPage(context, query, page);
    return context.json(success(page.rows.map(toRestoreRecord)), 200);
  });

  app.openapi(readRoute, async (context) => {
    const { id } = context.req.valid('param');
    const row = await control.use((client) => find(client, id, context.get('caller')));
    return context.json(success(toRestoreRecord(row)), 200);
  });

  const changed = async (id: string, caller: Caller, body: unknown) => {
    const input = parseInput(restoreChange, body);
    return control.transaction(async (client) => {
      const row = await find(client, id, caller, 'for update');
      return toRestoreRecord(
        await updateRestore(
          client,
          id,
          settingsOf(sources, { ...savedOf(row), ...input, name: input.name ?? row.name }),
        ),
      );
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
      await find(client, id, context.get('caller'), 'for update');
      const run = await readActiveRun(client, id);
      if (run !== null) throw stillRuns(run.id);
      return trashRestore(client, id);
    });
    return context.json(success(toRestoreRecord(row)), 200);
  });
}

const mostAtOnce = 100;

function parseMany(body: unknown): readonly z.output<typeof restoreCreation>[] {
  if (!Array.isArray(body)) return [parseInput(restoreCreation, body)];
  if (body.length === 0 || body.length > mostAtOnce) {
    throw new ApiError('VALIDATION_ERROR', `the body: must have 1 to ${mostAtOnce} records`);
  }
  return body.map((each) => parseInput(restoreCreation, each));
}

/** What a saved restore is by default comes from the document, what its source decides from the source. */
function settingsOf(
  sources: Sources,
  { name, description = null, enabled = true, ...input }: z.output<typeof restoreCreation>,
): RestoreSettings {
  const source = sources.of(input.source_type ?? 'upload');
  return { name, description, enabled, ...source.settings(input as Parameters<typeof source.settings>[0]) };
}

/** The settings of a record. */
function savedOf(row: RestoreRow): z.output<typeof restoreCreation> {
  const { name, description, source_type, source_ref, conflict_strategy, create_models, enabled } = row;
  const lists = { include: [...row.include], models: row.models === null ? null : [...row.models] };
  return {
    ...{ name, description, source_type, source_ref, conflict_strategy, create_models, enabled },
    ...lists,
    options: { ...row.options },
  };
}

async function find(
  client: ControlClient,
  id: string,
  caller: Caller,
  lock: 'for update' | '' = '',
): Promise<RestoreRow> {
  const row = await readRestore(client, id, visibleTenant(caller), lock);
  if (row === null) throw restoreNotFound(id);
  return row;
}

function stillRuns(runId: string): ApiError {
  return new ApiError('CONFLICT', `The restore is running: run ${runId}.`, {
    hint: `Wait for its end, or cancel it: POST /api/runs/${runId}/cancel.`,
    data: { run_id: runId },
  });
}
