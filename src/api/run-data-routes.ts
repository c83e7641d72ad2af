import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { ControlDatabase } from '../control/control-database.ts';
import { listLogs } from '../control/logs.ts';
import { listRuns } from '../control/runs.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { visibleTenant } from './caller.ts';
import { linkNextPage, listParameters, readListQuery } from './list-query.ts';
import { logRecord, toLogRecord } from './log-record.ts';
import { runRecord, toRunRecord } from './run-record.ts';
import type { Runs } from './runs.ts';

const listRunsRoute = createRoute({
  method: 'get',
  path: '/api/data/restore_runs',
  summary: 'Runs, the newest first',
  request: { query: listParameters },
  responses: {
    200: answer('A page; a Link header tells where the next one is.', z.array(runRecord)),
    ...errorAnswers(400, 401, 403, 503),
  },
});

const readRunRoute = createRoute({
  method: 'get',
  path: '/api/data/restore_runs/{runId}',
  summary: 'A run as the documented restore_runs record',
  request: { params: z.object({ runId: z.string().openapi({ param: { name: 'runId', in: 'path' } }) }) },
  responses: { 200: answer('The record.', runRecord), ...errorAnswers(401, 403, 404, 503) },
});

const listLogsRoute = createRoute({
  method: 'get',
  path: '/api/data/restore_logs',
  summary: 'What happened in runs, the oldest first',
  request: { query: listParameters },
  responses: {
    200: answer('A page; a Link header tells where the next one is.', z.array(logRecord)),
    ...errorAnswers(400, 401, 403, 503),
  },
});

/** `/api/data/restore_runs` and `/api/data/restore_logs`. */
export function addRunDataRoutes(app: OpenAPIHono<ApiEnv>, control: ControlDatabase, runs: Runs): void {
  app.openapi(listRunsRoute, async (context) => {
    const query = readListQuery(context);
    const tenant = visibleTenant(context.get('caller'));
    const page = await control.use((client) => listRuns(client, query, tenant));
    linkNextPage(context, query, page);
    return context.json(success(page.rows.map(toRunRecord)), 200);
  });

  app.openapi(readRunRoute, async (context) => {
    const run = await runs.record(context.req.valid('param').runId, context.get('caller'));
    return context.json(success(toRunRecord(run)), 200);
  });

  app.openapi(listLogsRoute, async (context) => {
    const query = readListQuery(context);
    const tenant = visibleTenant(context.get('caller'));
    const page = await control.use((client) => listLogs(client, query, tenant));
    linkNextPage(context, query, page);
    return context.json(success(page.rows.map(toLogRecord)), 200);
  });
}
