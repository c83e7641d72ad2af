import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ListQuery, Page } from '../control/list.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { visibleTenant } from './caller.ts';
import { linkNextPage, listParameters, readListQuery } from './list-query.ts';

/** The route of a list of records. */
export function listRoute<const P extends string, T extends z.ZodType>(path: P, summary: string, record: T) {
  return createRoute({
    method: 'get',
    path,
    summary,
    request: { query: listParameters },
    responses: {
      200: answer('A page; a Link header tells where the next one is.', z.array(record)),
      ...errorAnswers(400, 401, 403, 503),
    },
  });
}

/**
 * Reads the page that is asked for, of what the caller may see.
 *
 * @param list gives the page of a tenant; null: of all
 * @throws ThawError `InputInvalid`
 */
export async function readPage<R extends object, J>(
  context: Context<ApiEnv>,
  list: (query: ListQuery, tenant: string | null) => Promise<Page<R>>,
  write: (row: R) => J,
) {
  const query = readListQuery(context);
  const page = await list(query, visibleTenant(context.get('caller')));
  linkNextPage(context, query, page);
  return success(page.rows.map(write));
}
