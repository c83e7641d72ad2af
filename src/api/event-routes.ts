import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { streamSSE } from 'hono/streaming';
import type { Logger } from 'pino';
import { errorAnswers } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError } from './api-error.ts';
import { runIdParam } from './path-params.ts';
import { endId, type RunEventsDependencies, runEvents } from './run-events.ts';

/** One event, as a description of server-sent events has it. */
const event = z.object({
  id: z.string().optional(),
  event: z.enum(['log', 'progress', 'end']),
  data: z.string().openapi({ description: 'JSON.' }),
});

const eventsRoute = createRoute({
  method: 'get',
  path: '/api/runs/{runId}/events',
  summary: 'What happens in a run until its end, as server-sent events',
  description:
    'log: a restore_logs record; its id is that of the event. progress: the restore_runs record, when it has changed. end: the same of a run that has ended. With Last-Event-ID it goes on after that line.',
  request: {
    params: runIdParam,
    headers: z.object({
      'last-event-id': z.string().optional().openapi({ description: 'Id of the last event that was seen.' }),
    }),
  },
  responses: {
    200: { description: 'The events.', content: { 'text/event-stream': { schema: event } } },
    204: { description: 'The end was seen: there is nothing more to come.' },
    ...errorAnswers(400, 401, 403, 404, 503),
  },
});

/** Milliseconds of silence after which a line is sent that says nothing, for proxies that end what is silent. */
const silence = 15_000;

/** `GET /api/runs/{runId}/events`. */
export function addEventRoutes(
  app: OpenAPIHono<ApiEnv>,
  dependencies: RunEventsDependencies,
  logger: Logger,
): void {
  app.openapi(eventsRoute, async (context) => {
    const { runId } = context.req.valid('param');
    const caller = context.get('caller');
    const found = await dependencies.runs.record(runId, caller);
    const lastId = context.req.header('last-event-id') ?? '';
    if (lastId === endId) return context.body(null, 204);
    // Nobody would read what is written after the head.
    if (context.req.method === 'HEAD') return context.body(null, 200) as never;
    const from = { runId, caller, afterLog: logIdOf(lastId) };
    return streamSSE(context, async (stream) => {
      const ended = new AbortController();
      stream.onAbort(() => ended.abort());
      const alive = setInterval(() => void stream.write(': still there\n\n'), silence).unref();
      try {
        for await (const event of runEvents(dependencies, from, found, ended.signal)) {
          await stream.writeSSE(event);
        }
      } catch (error) {
        // The reader asks again, and goes on after what it has seen.
        logger.warn({ err: error, runId }, 'the events of a run broke off');
      } finally {
        clearInterval(alive);
      }
    }) as never;
  });
}

function logIdOf(lastId: string): number {
  if (lastId === '') return 0;
  if (/^\d{1,15}$/.test(lastId)) return Number(lastId);
  throw new ApiError('VALIDATION_ERROR', 'Last-Event-ID: must be the id of an event');
}
