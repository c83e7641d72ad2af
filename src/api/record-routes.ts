import { createRoute, type OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { parseInput } from '../client/restore-input.ts';
import type { ControlClient, ControlDatabase } from '../control/control-database.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError } from './api-error.ts';
import type { Caller } from './caller.ts';
import { limitBody, readJson } from './json-body.ts';
import { idParam } from './path-params.ts';

/** What is saved: for the descriptions of its routes, and how it is found, changed and deleted. */
export interface SavedRecord<R extends { readonly id: string }, C extends z.ZodType> {
  /** `/api/data/…/{id}` begins with it. */
  readonly collection: string;
  /** `restore` */
  readonly noun: string;
  /** What a deletion leaves. */
  readonly kept: string;
  readonly record: z.ZodType;
  /** Of a change, and its name among the schemas. */
  readonly change: C;
  readonly changeName: string;
  /** Writes a row as the record. */
  write(row: R): object;
  /** @throws ApiError `RECORD_NOT_FOUND` where the caller sees none of that id */
  find(client: ControlClient, id: string, caller: Caller, lock: 'for update' | ''): Promise<R>;
  /** Writes what a change makes of a row, which is locked. */
  update(client: ControlClient, row: R, change: z.output<C>, caller: Caller): Promise<R>;
  /** The active run of one; null where there is none. */
  activeRun(client: ControlClient, id: string): Promise<{ readonly id: string } | null>;
  /** How such a run is ended. */
  stopHint(runId: string): string;
  trash(client: ControlClient, id: string): Promise<R>;
}

/** A body that a route reads and checks by itself: a reference, so that no validator does. */
export function bodyOf(schema: object) {
  return { required: true, content: { 'application/json': { schema } } };
}

/** The routes of one saved record: reading, changing and deleting it. */
export function addRecordRoutes<R extends { readonly id: string }, C extends z.ZodType>(
  app: OpenAPIHono<ApiEnv>,
  control: ControlDatabase,
  saved: SavedRecord<R, C>,
): void {
  const { collection, noun, kept } = saved;
  const path = `${collection}/{id}`;
  const params = idParam(`Of a saved ${noun}.`);
  const found = answer(`The saved ${noun}.`, saved.record);
  const written = (context: Context<ApiEnv>, row: R) => context.json(success(saved.write(row)), 200);

  const read = createRoute({
    method: 'get',
    path,
    summary: `A saved ${noun}`,
    request: { params },
    responses: { 200: found, ...errorAnswers(401, 403, 404, 503) },
  });
  app.openAPIRegistry.registerPath(read);
  app.get(read.getRoutingPath(), async (context) => {
    const row = await control.use((client) => saved.find(client, idOf(context), context.get('caller'), ''));
    return written(context, row);
  });

  for (const method of ['put', 'patch'] as const) {
    const change = createRoute({
      method,
      path,
      summary: `Changes settings of a saved ${noun}; what is absent stays as it is`,
      description: 'A run that is under way goes on with the settings that it began with.',
      request: { params, body: bodyOf({ $ref: `#/components/schemas/${saved.changeName}` }) },
      responses: { 200: found, ...errorAnswers(400, 401, 403, 404, 408, 413, 415, 503) },
    });
    app.openAPIRegistry.registerPath(change);
    app[method](change.getRoutingPath(), limitBody, async (context) => {
      const input = parseInput(saved.change, await readJson(context));
      const caller = context.get('caller');
      const row = await control.transaction(async (client) =>
        saved.update(client, await saved.find(client, idOf(context), caller, 'for update'), input, caller),
      );
      return written(context, row);
    });
  }

  const remove = createRoute({
    method: 'delete',
    path,
    summary: `Deletes a saved ${noun}; ${kept}`,
    request: { params },
    responses: { 200: found, ...errorAnswers(401, 403, 404, 409, 503) },
  });
  app.openAPIRegistry.registerPath(remove);
  app.delete(remove.getRoutingPath(), async (context) => {
    const row = await control.transaction(async (client) => {
      const { id } = await saved.find(client, idOf(context), context.get('caller'), 'for update');
      const run = await saved.activeRun(client, id);
      if (run !== null) throw stillRuns(saved, run.id);
      return saved.trash(client, id);
    });
    return written(context, row);
  });
}

function idOf(context: Context<ApiEnv>): string {
  return context.req.param('id') ?? '';
}

function stillRuns(
  { noun, stopHint }: Pick<SavedRecord<never, never>, 'noun' | 'stopHint'>,
  runId: string,
): ApiError {
  return new ApiError('CONFLICT', `The ${noun} is running: run ${runId}.`, {
    hint: stopHint(runId),
    data: { run_id: runId },
  });
}
