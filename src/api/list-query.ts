import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ListQuery, Order, Page } from '../control/list.ts';
import { fieldFault } from '../control/list-fault.ts';

const defaultLimit = 100;
const maxLimit = 1000;
const maxOffset = 1_000_000;

/** Which part of a list, for its OpenAPI description. */
export const pageParameters = {
  limit: z
    .string()
    .optional()
    .openapi({ description: `1 to ${maxLimit}; default ${defaultLimit}.` }),
  offset: z.string().optional().openapi({ description: 'How many to pass over.' }),
};

/** The query of a list, for its OpenAPI description; {@link readListQuery} reads it. */
export const listParameters = z.object({
  where: z.string().optional().openapi({
    description: 'Which records: JSON such as {"status":"failed"} or {"progress":{"$gte":50}}.',
  }),
  'filter[where]': z
    .record(z.string(), z.string())
    .optional()
    .openapi({
      // An example of its own: /docs would send one that is made up.
      param: { style: 'deepObject', explode: true, example: {} },
      description:
        'The same, field by field: filter[where][status]=failed, filter[where][progress][$gte]=50.',
    }),
  order: z.string().optional().openapi({
    description: 'Fields to order by, each with asc or desc: created_at desc, id.',
  }),
  ...pageParameters,
  include_trashed: z
    .enum(['true', 'false'])
    .optional()
    .openapi({ description: 'Shows deleted records too.' }),
});

/** Reads which part of a list is asked for. @throws ThawError `InputInvalid` */
export function readPage(query: {
  readonly limit?: string | undefined;
  readonly offset?: string | undefined;
}): Pick<ListQuery, 'limit' | 'offset'> {
  return {
    limit: wholeOf('limit', query.limit ?? String(defaultLimit), 1, maxLimit),
    offset: wholeOf('offset', query.offset ?? '0', 0, maxOffset),
  };
}

/**
 * Reads what a list is asked for, in both spellings: `where={json}` and `filter[where][field]=value`, of which
 * all must hold; so too `order`, `limit`, `offset` and `filter[order]`, ….
 *
 * @param others parameters that the route reads itself
 * @throws ThawError `InputInvalid`
 */
export function readListQuery(context: Context, others: readonly string[] = []): ListQuery {
  const where: unknown[] = [];
  let order: readonly Order[] = [];
  let limit = defaultLimit;
  let offset = 0;
  let includeTrashed = false;
  for (const [name, value] of new URL(context.req.url).searchParams) {
    if (others.includes(name)) continue;
    const [key, field, operator, ...rest] = stepsOf(name);
    if (key === 'where' && rest.length === 0) where.push(conditionOf(value, field, operator));
    else if (field !== undefined) throw unknown(name);
    else if (key === 'order') order = ordersOf(value);
    else if (key === 'limit') limit = wholeOf(key, value, 1, maxLimit);
    else if (key === 'offset') offset = wholeOf(key, value, 0, maxOffset);
    else if (key === 'include_trashed') includeTrashed = flagOf(key, value);
    else throw unknown(name);
  }
  return { where, order, limit, offset, includeTrashed };
}

/** Tells where the next page is, in a header. */
export function linkNextPage(
  context: Context,
  { limit, offset }: Pick<ListQuery, 'limit' | 'offset'>,
  page: Pick<Page<object>, 'more'>,
): void {
  if (!page.more) return;
  const url = new URL(context.req.url);
  for (const name of ['filter[limit]', 'filter[offset]']) url.searchParams.delete(name);
  url.searchParams.set('limit', String(limit));
  url.searchParams.set('offset', String(offset + limit));
  context.header('Link', `<${url.pathname}${url.search}>; rel="next"`);
}

/** `filter[where][a][$gt]` is where, a, $gt; and so is `where[a][$gt]`. */
function stepsOf(name: string): readonly string[] {
  const [, first = '', rest = ''] = /^([^[\]]+)((?:\[[^[\]]*\])*)$/.exec(name) ?? [];
  const steps = [first, ...[...rest.matchAll(/\[([^[\]]*)\]/g)].map(([, step = '']) => step)];
  return steps[0] === 'filter' ? steps.slice(1) : steps;
}

/** The operators whose operand is a list: in a URL their values stand between commas. */
const listOperators: ReadonlySet<string> = new Set([
  '$in',
  '$nin',
  '$between',
  '$any',
  '$all',
  '$nany',
  '$nall',
]);

function conditionOf(value: string, field: string | undefined, operator: string | undefined): unknown {
  if (field === undefined) return jsonOf(value);
  if (operator === undefined) return { [field]: value };
  return { [field]: { [operator]: listOperators.has(operator) ? value.split(',') : value } };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw fieldFault('where', 'is not valid JSON');
  }
}

function ordersOf(text: string): readonly Order[] {
  return text.split(',').map((part) => {
    const [field = '', direction = 'asc', ...rest] = part.trim().split(/\s+/);
    const word = direction.toLowerCase();
    if (rest.length > 0 || (word !== 'asc' && word !== 'desc')) {
      throw fieldFault('order', 'must be fields, each with asc or desc, such as created_at desc');
    }
    return { field, direction: word };
  });
}

/** Reads a whole number of a query. @throws ThawError `InputInvalid` */
function wholeOf(name: string, text: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw fieldFault(name, `must be a whole number from ${least} to ${most}`);
}

function flagOf(name: string, text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw fieldFault(name, 'must be true or false');
}

function unknown(name: string) {
  return fieldFault(name.slice(0, 100), 'is not known');
}
