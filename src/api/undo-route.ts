import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { must, parseInput } from '../client/restore-input.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { keyHeader } from './idempotency.ts';
import { limitBody, readOptionalJson } from './json-body.ts';
import { runIdParam } from './path-params.ts';
import { accepted, acceptedOf, ownerOf } from './restore-routes.ts';
import type { RunStarter } from './run-starter.ts';
import type { Runs } from './runs.ts';
import { snapshotUndoInput, undoInput } from './undo-input.ts';

const route = createRoute({
  method: 'post',
  path: '/api/runs/{runId}/undo',
  summary: 'Takes back what a run did, by a run of its own',
  description:
    'Of a restore of archives with "undoable": true: what it inserted is deleted, what it overwrote comes back, and rows that were changed since are left and counted. Of an import of a bundle the fields and models that it made go, too, where they are unchanged and empty. Of a restore of a snapshot what was there before comes back, all of it or nothing. 409 while the run goes on, where it is undone already, and where it kept nothing.',
  middleware: [limitBody] as const,
  request: {
    params: runIdParam,
    headers: keyHeader,
    // References, so that the body is read and checked by the source alone.
    body: {
      content: {
        'application/json': {
          schema: {
            anyOf: [
              { $ref: '#/components/schemas/UndoInput' },
              { $ref: '#/components/schemas/SnapshotUndoInput' },
            ],
          },
        },
      },
    },
  },
  responses: {
    202: answer('The undo is accepted; run_id is its own.', accepted),
    ...errorAnswers(400, 401, 403, 404, 408, 409, 413, 415, 429, 503),
  },
});

const anything = z.record(z.string(), z.unknown(), must('must be an object'));

/** `POST /api/runs/{runId}/undo` */
export function addUndoRoute(
  app: OpenAPIHono<ApiEnv>,
  { starter, runs }: { readonly starter: RunStarter; readonly runs: Runs },
): void {
  app.openAPIRegistry.register('UndoInput', undoInput);
  app.openAPIRegistry.register('SnapshotUndoInput', snapshotUndoInput);

  app.openapi(route, async (context) => {
    const owner = ownerOf(context);
    const input = parseInput(anything, await readOptionalJson(context));
    const undone = await runs.record(context.req.valid('param').runId, owner.caller);
    const started = await starter.startUndo(undone, owner, input);
    return context.json(success(acceptedOf(context, started, 'Undo')), 202);
  });
}
