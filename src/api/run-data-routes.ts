import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import type { ControlDatabase } from '../control/control-database.ts';
import { listLogs } from '../control/logs.ts';
import { listRuns } from '../control/runs.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { listRoute, readPage } from './list-route.ts';
import { logRecord, toLogRecord } from './log-record.ts';
import { runIdParam } from './path-params.ts';
import { runRecord, toRunRecord } from './run-record.ts';
import type { Runs } from './runs.ts';

const listRunsRoute = listRoute('/api/data/restore_runs', 'Runs, the newest first', runRecord);

const readRunRoute = createRoute({
  method: 'get',
  path: '/api/data/restore_runs/{runId}',
  summary: 'A run as the documented restore_runs record',
  request: { params: runIdParam },
  responses: { 200: answer('The record.', runRecord), ...errorAnswers(401, 403, 404, 503) },
});

const listLogsRoute = listRoute(
  '/api/data/restore_logs',
  'What happened in runs, the oldest first',
  logRecord,
);

/** `/api/data/restore_runs` and `/api/data/restore_logs`. */
export function addRunDataRoutes(app: OpenAPIHono<ApiEnv>, control: ControlDatabase, runs: Runs): void {
  app.openapi(listRunsRoute, async (context) => {
    const page = await readPage(
      context,
      (query, tenant) => control.use((client) => listRuns(client, query, tenant)),
      toRunRecord,
    );
    return context.json(page, 200);
  });

  app.openapi(readRunRoute, async (context) => {
    const run = await runs.record(context.req.valid('param').runId, context.get('caller'));
    return context.json(success(toRunRecord(run)), 200);
  });

  app.openapi(listLogsRoute, async (context) => {
    const page = await readPage(
      context,
      (query, tenant) => control.use((client) => listLogs(client, query, tenant)),
      toLogRecord,
    );
    return context.json(page, 200);
  });
}
