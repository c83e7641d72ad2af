import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { stream } from 'hono/streaming';
import type { ControlDatabase } from '../control/control-database.ts';
import { countDownload, type ExtractRunRow, extractRunListing } from '../control/extract-runs.ts';
import { listPage } from '../control/list.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { extractRunRecord, toExtractRunRecord } from './extract-record.ts';
import { type ExtractRuns, extractedKey } from './extract-runs.ts';
import { keyHeader, runIdOf } from './idempotency.ts';
import { listRoute, readPage } from './list-route.ts';
import { idParam, runIdParam } from './path-params.ts';

const params = idParam('Of a saved extract.');

const runRoute = createRoute({
  method: 'post',
  path: '/api/extracts/{id}/run',
  summary: 'Runs a saved extract',
  request: {
    params,
    headers: keyHeader,
  },
  responses: {
    200: answer(
      'It is queued.',
      z.object({
        run_id: z.string(),
        message: z.string().openapi({ example: 'Extract queued for execution' }),
        status_url: z.string(),
      }),
    ),
    ...errorAnswers(400, 401, 403, 404, 409, 429, 503),
  },
});

const cancelRoute = createRoute({
  method: 'post',
  path: '/api/extracts/{id}/cancel',
  summary: 'Cancels the active run of an extract',
  request: { params },
  responses: {
    200: answer('It is being cancelled.', z.object({ run_id: z.string(), message: z.string() })),
    ...errorAnswers(401, 403, 404, 503),
  },
});

const readListRoute = listRoute('/api/data/extract_runs', 'Runs of extracts', extractRunRecord);

const readRoute = createRoute({
  method: 'get',
  path: '/api/data/extract_runs/{runId}',
  summary: 'A run of an extract',
  request: { params: runIdParam },
  responses: { 200: answer('The run.', extractRunRecord), ...errorAnswers(401, 403, 404, 503) },
});

const downloadRoute = createRoute({
  method: 'get',
  path: '/api/extracts/runs/{runId}/download',
  summary: 'The bundle that a run has written',
  request: { params: runIdParam },
  responses: {
    200: {
      description: 'The bundle.',
      content: { 'application/zip': { schema: { type: 'string', format: 'binary' } } },
    },
    ...errorAnswers(401, 403, 404, 409, 410, 503),
  },
});

/** What running extracts and giving out their bundles takes. */
export interface ExtractRunRouteDependencies {
  readonly control: ControlDatabase;
  readonly store: ObjectStore;
  readonly runs: ExtractRuns;
}

/** `/api/extracts` and `/api/data/extract_runs`. */
export function addExtractRunRoutes(
  app: OpenAPIHono<ApiEnv>,
  { control, store, runs }: ExtractRunRouteDependencies,
): void {
  app.openapi(runRoute, async (context) => {
    const caller = context.get('caller');
    const runId = runIdOf(context.req.header('idempotency-key'), caller);
    const known = await runs.start(context.req.valid('param').id, runId, caller);
    if (known) context.header('Idempotency-Replayed', 'true');
    const message = known ? 'Extract already accepted' : 'Extract queued for execution';
    return context.json(
      success({ run_id: runId, message, status_url: `/api/data/extract_runs/${runId}` }),
      200,
    );
  });

  app.openapi(cancelRoute, async (context) => {
    const runId = await runs.cancel(context.req.valid('param').id, context.get('caller'));
    return context.json(success({ run_id: runId, message: 'Extract is being cancelled' }), 200);
  });

  app.openapi(readListRoute, async (context) => {
    const page = await readPage(
      context,
      (query, tenant) =>
        control.use((client) => listPage<ExtractRunRow>(client, extractRunListing, query, tenant)),
      toExtractRunRecord,
    );
    return context.json(page, 200);
  });

  app.openapi(readRoute, async (context) => {
    const run = await runs.find(context.req.valid('param').runId, context.get('caller'));
    return context.json(success(toExtractRunRecord(run)), 200);
  });

  app.openapi(downloadRoute, async (context) => {
    const run = await runs.find(context.req.valid('param').runId, context.get('caller'));
    const body = await store.open(extractedKey(run));
    await control.use((client) => countDownload(client, run.id));
    context.header('Content-Type', 'application/zip');
    context.header('Content-Length', String(body.bytes));
    context.header('Content-Disposition', disposition(run.filename ?? `${run.id}.zip`));
    context.header('ETag', `"${run.sha256}"`);
    return stream(context, async (out) => {
      for await (const chunk of body.chunks) {
        if (out.aborted) return;
        await out.write(chunk);
      }
    }) as never;
  });
}

/** Plain ASCII for old clients, the whole name for all others. https://www.rfc-editor.org/rfc/rfc6266 */
function disposition(filename: string): string {
  const plain = filename.replaceAll(/[^\x20-\x7e]|["\\]/g, '_');
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(filename)}`;
}
