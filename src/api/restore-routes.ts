import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { newRestoreId, requestFingerprint } from '../client/restore-id.ts';
import { parseRestoreInput, restoreInput } from '../client/restore-input.ts';
import { toRestoreRequest } from '../client/restore-request.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { RestoreRequest } from '../contract/restore-request.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError } from './api-error.ts';
import { keyTaken, restoreIdOfKey } from './idempotency.ts';
import { limitBody, readJson } from './json-body.ts';
import type { Restores } from './runs.ts';

const accepted = z
  .object({
    run_id: z.string(),
    message: z.string().openapi({ example: 'Restore queued for execution' }),
    status_url: z.string().openapi({ example: '/api/data/restore_runs/20260104-052021-k3x9ab' }),
  })
  .openapi('Accepted');

const startRoute = createRoute({
  method: 'post',
  path: '/api/restores',
  summary: 'Starts a restore',
  description:
    'Takes what the command `thaw restore` takes. With an Idempotency-Key the same request starts one restore however often it is sent.',
  middleware: [limitBody] as const,
  request: {
    headers: z.object({
      'idempotency-key': z.string().optional().openapi({ description: '1 to 255 printable characters.' }),
    }),
    // A reference, so that the body is read and checked by readJson and parseRestoreInput alone.
    body: {
      required: true,
      content: { 'application/json': { schema: { $ref: '#/components/schemas/RestoreInput' } } },
    },
  },
  responses: {
    202: answer('The restore is accepted.', accepted),
    ...errorAnswers(400, 401, 403, 409, 413, 415, 501, 503),
  },
});

/** `POST /api/restores`. */
export function addRestoreRoutes(
  app: OpenAPIHono<ApiEnv>,
  { restores, config }: { readonly restores: Restores; readonly config: ThawConfig },
): void {
  app.openAPIRegistry.register('RestoreInput', restoreInput);
  app.openapi(startRoute, async (context) => {
    const key = context.req.header('idempotency-key');
    const restoreId = key === undefined ? newRestoreId() : restoreIdOfKey(key, context.get('principal'));
    const request = toRequest(await readJson(context), config, restoreId);
    const known = key === undefined ? await start(restores, request) : await startOnce(restores, request);
    const statusUrl = `/api/data/restore_runs/${restoreId}`;
    context.header('Location', statusUrl);
    if (known) context.header('Idempotency-Replayed', 'true');
    const message = known ? 'Restore already accepted' : 'Restore queued for execution';
    return context.json(success({ run_id: restoreId, message, status_url: statusUrl }), 202);
  });
}

function toRequest(body: unknown, config: ThawConfig, restoreId: string): RestoreRequest {
  const input = parseRestoreInput(withRestoreAll(body));
  // Taking it for a restore would do what the user wanted not to be done.
  if (input.dry_run) {
    throw new ApiError('NOT_IMPLEMENTED', 'The API makes no dry runs.', {
      hint: 'Use `thaw restore --dry-run` on the command line.',
    });
  }
  return toRestoreRequest(input, config, restoreId);
}

/** Who names tables and no archives asks for all of theirs: the command line would list them, a POST restores. */
function withRestoreAll(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  const namesTables = 'table' in body || 'tables' in body;
  const saysWhich = 'restore_all' in body || 's3_key' in body || 's3_keys' in body;
  return namesTables && !saysWhich ? { ...body, restore_all: true } : body;
}

async function start(restores: Restores, request: RestoreRequest): Promise<boolean> {
  await restores.start(request);
  return false;
}

/** @returns whether it was started before */
async function startOnce(restores: Restores, request: RestoreRequest): Promise<boolean> {
  const result = await restores.startOnce(request, requestFingerprint(request));
  if (result === 'different') throw keyTaken(request.restoreId);
  return result === 'known';
}
