import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { fieldError } from '../client/restore-input.ts';
import type { SnapshotManifest, SnapshotTableName } from '../contract/snapshot.ts';
import { nameOf } from '../snapshot/order/table-order.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { keyHeader, runIdOf } from './idempotency.ts';
import { limitBody, readJson } from './json-body.ts';
import { linkNextPage, readListQuery } from './list-query.ts';
import { listRoute } from './list-route.ts';
import { idParam } from './path-params.ts';
import { bodyOf } from './record-routes.ts';
import { snapshotInput } from './snapshot-input.ts';
import { orderJson, snapshotDetail, snapshotRecord, toOrderJson } from './snapshot-json.ts';
import type { Snapshots } from './snapshots.ts';
import { tableOfText } from './tenant-part.ts';

const params = idParam('Of a snapshot.');

const readListRoute = listRoute('/api/snapshots', 'Snapshots in the store', snapshotRecord);

const takeRoute = createRoute({
  method: 'post',
  path: '/api/snapshots',
  summary: 'Takes a snapshot of tables, all as they are at one moment',
  description:
    "Who is not root takes the rows of its own tenant, of tables of the token's schema. With an Idempotency-Key the same request takes one snapshot however often it is sent.",
  middleware: [limitBody] as const,
  request: { headers: keyHeader, body: bodyOf({ $ref: '#/components/schemas/SnapshotInput' }) },
  responses: {
    202: answer(
      'It is being taken.',
      z.object({
        snapshot_id: z.string(),
        message: z.string(),
        status_url: z.string().openapi({ example: '/api/snapshots/20260104-052021-k3x9ab' }),
      }),
    ),
    ...errorAnswers(400, 401, 403, 408, 409, 413, 415, 429, 503),
  },
});

const readRoute = createRoute({
  method: 'get',
  path: '/api/snapshots/{id}',
  summary: 'What a snapshot holds, or how far it is',
  request: { params },
  responses: { 200: answer('The snapshot.', snapshotDetail), ...errorAnswers(401, 403, 404, 422, 503) },
});

const said = z.object({ id: z.string(), message: z.string() });

const cancelRoute = createRoute({
  method: 'post',
  path: '/api/snapshots/{id}/cancel',
  summary: 'Gives up a snapshot that is being taken; nothing is left of it',
  request: { params },
  responses: { 200: answer('It has begun.', said), ...errorAnswers(401, 403, 404, 409, 422, 503) },
});

const deleteRoute = createRoute({
  method: 'delete',
  path: '/api/snapshots/{id}',
  summary: 'Deletes a snapshot with all its rows',
  description: 'Refused while a restore reads it, or could only be undone by it.',
  request: { params },
  responses: { 200: answer('It is gone.', said), ...errorAnswers(401, 403, 404, 409, 422, 503) },
});

const orderRoute = createRoute({
  method: 'get',
  path: '/api/snapshots/{id}/order',
  summary: 'In which order the tables of a snapshot are restored, and the foreign keys that say so',
  request: {
    params,
    query: z.strictObject({
      tables: z
        .string()
        .optional()
        .openapi({ description: 'Only these, with commas between: table or schema.table.' }),
    }),
  },
  responses: { 200: answer('The order.', orderJson), ...errorAnswers(400, 401, 403, 404, 422, 503) },
});

/** `/api/snapshots`: those in the store. */
export function addSnapshotRoutes(app: OpenAPIHono<ApiEnv>, snapshots: Snapshots): void {
  app.openAPIRegistry.register(
    'SnapshotInput',
    snapshotInput.openapi({ example: { tables: ['audit_logs'], keep: '30d' } }),
  );

  app.openapi(readListRoute, async (context) => {
    const query = readListQuery(context);
    const page = await snapshots.list(query, context.get('caller'));
    linkNextPage(context, query, page);
    return context.json(success([...page.rows]), 200);
  });

  app.openapi(takeRoute, async (context) => {
    const caller = context.get('caller');
    const id = runIdOf(context.req.header('idempotency-key'), caller);
    const known = await snapshots.take(await readJson(context), id, caller);
    const statusUrl = `/api/snapshots/${id}`;
    context.header('Location', statusUrl);
    if (known) context.header('Idempotency-Replayed', 'true');
    const message = known ? 'Snapshot already accepted' : 'Snapshot queued for execution';
    return context.json(success({ snapshot_id: id, message, status_url: statusUrl }), 202);
  });

  app.openapi(readRoute, async (context) => {
    const detail = await snapshots.detail(context.req.valid('param').id, context.get('caller'));
    return context.json(success(detail), 200);
  });

  app.openapi(cancelRoute, async (context) => {
    const { id } = context.req.valid('param');
    await snapshots.cancel(id, context.get('caller'));
    return context.json(success({ id, message: 'Snapshot is being given up' }), 200);
  });

  app.openapi(deleteRoute, async (context) => {
    const { id } = context.req.valid('param');
    await snapshots.remove(id, context.get('caller'));
    return context.json(success({ id, message: 'Snapshot deleted' }), 200);
  });

  app.openapi(orderRoute, async (context) => {
    const { id } = context.req.valid('param');
    const { tables } = context.req.valid('query');
    const caller = context.get('caller');
    const names = tables?.split(',').map((text) => tableOfText(text, caller.namespace, 'tables')) ?? null;
    const { signal } = context.req.raw;
    const order = await snapshots.order(id, (manifest) => heldTables(manifest, names), caller, signal);
    return context.json(success(toOrderJson(order)), 200);
  });
}

/** Tables of a snapshot; null: all. @throws ThawError `InputInvalid` for one that it does not hold */
function heldTables(
  { tables }: SnapshotManifest,
  names: readonly SnapshotTableName[] | null,
): readonly SnapshotTableName[] {
  if (names === null) return tables;
  const held = new Set(tables.map(nameOf));
  const missing = names.find((name) => !held.has(nameOf(name)));
  if (missing !== undefined) throw fieldError('tables', 'is not in the snapshot', nameOf(missing));
  return names;
}
