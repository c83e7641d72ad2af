import { createRoute, type OpenAPIHono, type z } from '@hono/zod-openapi';
import { parseInput } from '../client/restore-input.ts';
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
import type { BundleSettings } from './bundle-settings.ts';
import { type Caller, visibleTenant } from './caller.ts';
import { extractChange, extractCreation, extractRecord, toExtractRecord } from './extract-record.ts';
import { extractNotFound } from './extract-runs.ts';
import { limitBody, readJson } from './json-body.ts';
import { listRoute, readPage } from './list-route.ts';
import { addRecordRoutes, bodyOf } from './record-routes.ts';

const collection = '/api/data/extracts';
const record = answer('The saved extract.', extractRecord);

const createRouteOfExtracts = createRoute({
  method: 'post',
  path: collection,
  summary: 'Saves an extract',
  middleware: [limitBody] as const,
  request: { body: bodyOf({ $ref: '#/components/schemas/ExtractCreation' }) },
  responses: { 201: record, ...errorAnswers(400, 401, 403, 408, 413, 415, 503) },
});

const readListRoute = listRoute(collection, 'Saved extracts', extractRecord);

/** `/api/data/extracts`: saved extracts. */
export function addExtractRoutes(
  app: OpenAPIHono<ApiEnv>,
  control: ControlDatabase,
  bundles: BundleSettings,
): void {
  app.openAPIRegistry.register('ExtractCreation', extractCreation);
  app.openAPIRegistry.register('ExtractChange', extractChange);

  app.openapi(createRouteOfExtracts, async (context) => {
    const caller = context.get('caller');
    const settings = settingsOf(bundles, parseInput(extractCreation, await readJson(context)), caller);
    const row = await control.use((client) => insertExtract(client, caller.tenant, caller.subject, settings));
    context.header('Location', `${collection}/${row.id}`);
    return context.json(success(toExtractRecord(row)), 201);
  });

  app.openapi(readListRoute, async (context) => {
    const page = await readPage(
      context,
      (query, tenant) => control.use((client) => listPage<ExtractRow>(client, extractListing, query, tenant)),
      toExtractRecord,
    );
    return context.json(page, 200);
  });

  addRecordRoutes(app, control, {
    collection,
    noun: 'extract',
    kept: 'its runs and bundles stay',
    record: extractRecord,
    change: extractChange,
    changeName: 'ExtractChange',
    write: toExtractRecord,
    find,
    update: async (client, row, input, caller) => {
      const { name, description, include, models, enabled, options } = row;
      const whole = parseInput(extractCreation, {
        ...{ name, description, include, models, enabled, options },
        ...input,
      });
      return updateExtract(client, row.id, settingsOf(bundles, whole, caller));
    },
    activeRun: readActiveExtractRun,
    stopHint: () => 'Wait for its end, or cancel it.',
    trash: trashExtract,
  });
}

/** The schema is that of whoever saves it, and so stays it: root may run the extract of another tenant. */
function settingsOf(
  { databaseOf }: BundleSettings,
  input: z.output<typeof extractCreation>,
  caller: Caller,
): ExtractSettings {
  const { name, description = null, include = [...bundleParts], models = null, enabled = true } = input;
  const database = databaseOf(input.options?.database);
  const namespace = input.options?.namespace ?? caller.namespace;
  if (namespace !== caller.namespace) demandAccess(caller, 'root', `The schema ${namespace}`);
  return {
    name,
    description,
    include: [...new Set(include)],
    models,
    enabled,
    options: { database, namespace },
  };
}

async function find(
  client: ControlClient,
  id: string,
  caller: Caller,
  lock: 'for update' | '',
): Promise<ExtractRow> {
  const row = await readExtract(client, id, visibleTenant(caller), lock);
  if (row === null) throw extractNotFound(id);
  return row;
}
