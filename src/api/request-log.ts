import type { MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';
import type { ApiEnv } from './api-env.ts';

/** Logs each request when it is answered; reads, which clients repeat all the time, for debugging only. */
export function logRequests(logger: Logger): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const began = performance.now();
    await next();
    const { method, path } = context.req;
    const level = method === 'GET' || method === 'HEAD' ? 'debug' : 'info';
    logger[level](
      {
        requestId: context.get('requestId'),
        method,
        path,
        status: context.res.status,
        milliseconds: Math.round(performance.now() - began),
      },
      'request',
    );
  };
}
