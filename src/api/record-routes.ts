import { createRoute, z } from '@hono/zod-openapi';
import { answer, errorAnswers } from './answer.ts';
import { limitBody } from './json-body.ts';

/** What is saved, for the descriptions of its routes. */
export interface SavedRecord<T extends z.ZodType> {
  /** `/api/data/…/{id}` begins with it. */
  readonly collection: string;
  /** `saved restore` */
  readonly noun: string;
  /** What a deletion leaves. */
  readonly kept: string;
  readonly record: T;
  /** Name of the schema of a change. */
  readonly change: string;
}

/** A body that a route reads and checks by itself: a reference, so that no validator does. */
export function bodyOf(schema: object) {
  return { required: true, content: { 'application/json': { schema } } };
}

/** The routes of one saved record: reading, changing and deleting it. */
export function recordRoutes<T extends z.ZodType>({
  collection,
  noun,
  kept,
  record,
  change,
}: SavedRecord<T>) {
  const path = `${collection}/{id}` as const;
  const params = z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' } }) });
  const found = answer(`The ${noun}.`, record);
  const changeRoute = <const M extends 'put' | 'patch'>(method: M) =>
    createRoute({
      method,
      path,
      summary: `Changes settings of a ${noun}; what is absent stays as it is`,
      description: 'A run that is under way goes on with the settings that it began with.',
      middleware: [limitBody] as const,
      request: { params, body: bodyOf({ $ref: `#/components/schemas/${change}` }) },
      responses: { 200: found, ...errorAnswers(400, 401, 403, 404, 408, 413, 415, 503) },
    });
  return {
    read: createRoute({
      method: 'get',
      path,
      summary: `A ${noun}`,
      request: { params },
      responses: { 200: found, ...errorAnswers(401, 403, 404, 503) },
    }),
    put: changeRoute('put'),
    patch: changeRoute('patch'),
    remove: createRoute({
      method: 'delete',
      path,
      summary: `Deletes a ${noun}; ${kept}`,
      request: { params },
      responses: { 200: found, ...errorAnswers(401, 403, 404, 409, 503) },
    }),
  };
}
