import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { RouterRoute } from 'hono/types';
import { type Access, allows } from '../contract/access.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError } from './api-error.ts';
import type { Authenticator } from './auth.ts';
import type { Caller } from './caller.ts';
import type { RateLimit } from './rate-limit.ts';

/** `open`: anybody may ask, as the answer tells nothing about this installation. */
type Need = Access | 'open';

/** Routes that start something, or take room: each tenant may ask so often only. */
export const limitedRoutes: ReadonlySet<string> = new Set([
  'POST /api/restores',
  'POST /api/restores/import',
  'POST /api/restores/{id}/run',
  'POST /api/uploads',
  'POST /api/extracts/{id}/run',
  'POST /api/databases/{service}/swap-back',
  'POST /api/drills',
  'PUT /api/drills/schedules',
  'POST /api/systems/{name}/restore',
  'POST /api/runs/{runId}/undo',
  'POST /api/snapshots',
  'POST /api/snapshots/{id}/diff',
  'POST /api/snapshots/{id}/validate',
  'POST /api/snapshots/{id}/selections',
]);

/** What each route is needed for. A route that does not stand here is not served: the API does not start. */
export const neededAccess: Readonly<Record<string, Need>> = {
  'GET /': 'open',
  'GET /healthz': 'open',
  'GET /readyz': 'open',
  'GET /openapi.json': 'open',
  'GET /docs': 'open',
  'GET /docs/start.js': 'open',
  'GET /docs/swagger-ui-bundle.js': 'open',
  'GET /docs/swagger-ui.css': 'open',
  'POST /api/restores': 'edit',
  'POST /api/uploads': 'edit',
  'POST /api/restores/import': 'edit',
  'POST /api/restores/{id}/run': 'edit',
  'POST /api/restores/{id}/pause': 'edit',
  'POST /api/restores/{id}/resume': 'edit',
  'POST /api/restores/{id}/cancel': 'edit',
  'POST /api/data/extracts': 'edit',
  'GET /api/data/extracts': 'read',
  'GET /api/data/extracts/{id}': 'read',
  'PUT /api/data/extracts/{id}': 'edit',
  'PATCH /api/data/extracts/{id}': 'edit',
  'DELETE /api/data/extracts/{id}': 'full',
  'POST /api/extracts/{id}/run': 'edit',
  'POST /api/extracts/{id}/cancel': 'edit',
  'GET /api/data/extract_runs': 'read',
  'GET /api/data/extract_runs/{runId}': 'read',
  'GET /api/extracts/runs/{runId}/download': 'read',
  'POST /api/data/restores': 'edit',
  'GET /api/data/restores': 'read',
  'GET /api/data/restores/{id}': 'read',
  'PUT /api/data/restores/{id}': 'edit',
  'PATCH /api/data/restores/{id}': 'edit',
  'DELETE /api/data/restores/{id}': 'full',
  'GET /api/runs/{runId}': 'read',
  'GET /api/runs/{runId}/events': 'read',
  'POST /api/runs/{runId}/pause': 'edit',
  'POST /api/runs/{runId}/resume': 'edit',
  'POST /api/runs/{runId}/cancel': 'edit',
  'POST /api/runs/{runId}/undo': 'edit',
  'GET /api/data/restore_runs': 'read',
  'GET /api/data/restore_runs/{runId}': 'read',
  'GET /api/data/restore_logs': 'read',
  'GET /api/services': 'read',
  'GET /api/drills': 'read',
  'POST /api/drills': 'edit',
  'GET /api/drills/schedules': 'read',
  'PUT /api/drills/schedules': 'full',
  'DELETE /api/drills/schedules/{subject}': 'full',
  'GET /api/systems': 'root',
  'POST /api/systems/{name}/restore': 'root',
  'POST /api/runs/{runId}/decide': 'root',
  'GET /api/data/dumps': 'read',
  'POST /api/databases/{service}/swap-back': 'full',
  'GET /api/data/snapshot_restores': 'read',
  'GET /api/snapshots': 'read',
  'POST /api/snapshots': 'edit',
  'GET /api/snapshots/{id}': 'read',
  'DELETE /api/snapshots/{id}': 'full',
  'GET /api/snapshots/{id}/order': 'read',
  'POST /api/snapshots/{id}/diff': 'edit',
  'POST /api/snapshots/{id}/validate': 'edit',
  'POST /api/snapshots/{id}/selections': 'edit',
  'POST /api/snapshots/{id}/cancel': 'edit',
};

/** Lets in who holds a token that allows the route; what there is no route for, nobody without a token learns. */
export function requireAccess(
  authenticator: Authenticator,
  limit: Pick<RateLimit, 'take'>,
): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const route = routeOf(context);
    const need = needOf(route);
    if (need !== 'open') {
      const caller = await authenticator.authenticate(context.req.header('authorization'));
      context.set('caller', caller);
      demandAccess(caller, need, `${context.req.method} ${context.req.path}`);
      if (route !== null && limitedRoutes.has(route)) await limit.take(caller.tenant);
    }
    await next();
  };
}

/**
 * For what a route alone does not tell, such as the strategy of a restore.
 *
 * @param what stands in the message: `"replace" needs the access full.`
 * @throws ApiError `FORBIDDEN`
 */
export function demandAccess(caller: Caller, needed: Access, what: string): void {
  if (allows(caller.access, needed)) return;
  throw new ApiError('FORBIDDEN', `${what} needs the access ${needed}; the token has ${caller.access}.`, {
    hint: `Ask with a token whose claim access is ${needed}.`,
  });
}

/** @throws Error when a route declares no access */
export function checkEveryRouteIsDeclared(routes: readonly RouterRoute[]): void {
  const missing = routes
    .filter(isHandler)
    .map(nameOf)
    .filter((name) => !Object.hasOwn(neededAccess, name));
  if (missing.length > 0) throw new Error(`routes without access in access.ts: ${missing.join(', ')}`);
}

/** The route that will answer; null where there is none. */
function routeOf(context: Context): string | null {
  const route = matchedRoutes(context).filter(isHandler).at(-1);
  return route === undefined ? null : nameOf(route);
}

/** Who may look may learn that there is nothing. */
function needOf(route: string | null): Need {
  return route === null ? 'read' : (neededAccess[route] ?? 'root');
}

/** Middleware stands for every method. */
function isHandler({ method }: RouterRoute): boolean {
  return method !== 'ALL';
}

/** `GET /api/runs/{runId}` */
function nameOf({ method, path }: RouterRoute): string {
  return `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`;
}
