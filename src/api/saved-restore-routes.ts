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
import { listRoute, readPage } from './list-route.ts';
import { addRecordRoutes, bodyOf } from './record-routes.ts';
import { restoreChange, restoreCreation, restoreRecord, toRestoreRecord } from './restore-record.ts';
import type { Sources } from './sources/sources.ts';

const collection = '/api/data/restores';
const creation = { $ref: '#/components/schemas/RestoreCreation' };

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
    ...errorAnswers(400, 401, 403, 408, 413, 415, 503),
  },
});

const readListRoute = listRoute(collection, 'Saved restores', restoreRecord);

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
    const caller = context.get('caller');
    const settings = parseMany(body).map((each) => settingsOf(sources, each, caller));
    const rows = await control.transaction(async (client) => {
      const saved: RestoreRow[] = [];
      for (const each of settings) {
        saved.push(await insertRestore(client, caller, each));
      }
      return saved;
    });
    const records = rows.map(toRestoreRecord);
    const [first] = records;
    if (Array.isArray(body) || first === undefined) return context.json(success(records), 201);
    context.header('Location', `${collection}/${first.id}`);
    return context.json(success(first), 201);
  });

  app.openapi(readListRoute, async (context) => {
    const page = await readPage(
      context,
      (query, tenant) => control.use((client) => listPage<RestoreRow>(client, restoreListing, query, tenant)),
      toRestoreRecord,
    );
    return context.json(page, 200);
  });

  addRecordRoutes(app, control, {
    collection,
    noun: 'restore',
    kept: 'its runs and logs stay',
    record: restoreRecord,
    change: restoreChange,
    changeName: 'RestoreChange',
    write: toRestoreRecord,
    find,
    update: (client, row, input, caller) => {
      const whole = { ...savedOf(row), ...input, name: input.name ?? row.name };
      return updateRestore(client, row.id, settingsOf(sources, whole, caller));
    },
    activeRun: readActiveRun,
    stopHint: (runId) => `Wait for its end, or cancel it: POST /api/runs/${runId}/cancel.`,
    trash: trashRestore,
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
  caller: Caller,
): RestoreSettings {
  const source = sources.of(input.source_type ?? 'upload');
  const settings = source.settings(input as Parameters<typeof source.settings>[0], caller);
  return { name, description, enabled, ...settings };
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
  lock: 'for update' | '',
): Promise<RestoreRow> {
  const row = await readRestore(client, id, visibleTenant(caller), lock);
  if (row === null) throw restoreNotFound(id);
  return row;
}
