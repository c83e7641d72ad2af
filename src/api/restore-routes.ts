import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { newRestoreId, requestFingerprint } from '../client/restore-id.ts';
import { parseRestoreInput, restoreInput } from '../client/restore-input.ts';
import { toRestoreRequest } from '../client/restore-request.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { RestoreRequest } from '../contract/restore-request.ts';
import type { PreviewJob, TablePreview } from '../preview/restore-preview.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { keyTaken, restoreIdOfKey } from './idempotency.ts';
import { limitBody, readJson } from './json-body.ts';
import { previewJson, toPreviewJson } from './preview-json.ts';
import type { Restores } from './runs.ts';

const accepted = z
  .object({
    run_id: z.string(),
    message: z.string().openapi({ example: 'Restore queued for execution' }),
    status_url: z.string().openapi({ example: '/api/data/restore_runs/20260104-052021-k3x9ab' }),
  })
  .openapi('Accepted');

/** Made anew: zod-openapi can name no schema that was made before it was loaded. */
const described = z.strictObject(restoreInput.shape);

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
    200: answer('What a dry run found; nothing was changed.', previewJson),
    202: answer('The restore is accepted.', accepted),
    ...errorAnswers(400, 401, 403, 404, 409, 413, 415, 429, 503),
  },
});

/** Tells what a restore would do. */
export type Preview = (
  request: RestoreRequest,
  how: Pick<PreviewJob, 'detectConflicts' | 'signal'>,
) => Promise<readonly TablePreview[]>;

/** What starting restores takes. */
export interface RestoreRouteDependencies {
  readonly restores: Restores;
  readonly config: ThawConfig;
  readonly preview: Preview;
}

/** `POST /api/restores`. */
export function addRestoreRoutes(
  app: OpenAPIHono<ApiEnv>,
  { restores, config, preview }: RestoreRouteDependencies,
): void {
  app.openAPIRegistry.register('RestoreInput', described);
  app.openapi(startRoute, async (context) => {
    const key = context.req.header('idempotency-key');
    const restoreId = key === undefined ? newRestoreId() : restoreIdOfKey(key, context.get('caller'));
    const input = parseRestoreInput(withRestoreAll(await readJson(context)));
    const request = toRestoreRequest(input, config, restoreId);
    if (input.dry_run) {
      const how = { detectConflicts: input.detect_conflicts, signal: context.req.raw.signal };
      return context.json(success(toPreviewJson(request, await preview(request, how))), 200);
    }
    const known = key === undefined ? await start(restores, request) : await startOnce(restores, request);
    const statusUrl = `/api/data/restore_runs/${restoreId}`;
    context.header('Location', statusUrl);
    if (known) context.header('Idempotency-Replayed', 'true');
    const message = known ? 'Restore already accepted' : 'Restore queued for execution';
    return context.json(success({ run_id: restoreId, message, status_url: statusUrl }), 202);
  });
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
