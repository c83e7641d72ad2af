import { BlockList, isIP } from 'node:net';
import type { MiddlewareHandler } from 'hono';
import { ApiError } from './api-error.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Tells whether a host name or address, without port and brackets, is only reached from this machine. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return host.toLowerCase() === 'localhost';
  return loopback.check(host, version === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Guards an API that asks for no token: without it, any page that the user's browser shows could use it.
 * A name that was rebound to 127.0.0.1 is told by its `Host`, a page of another site by its `Origin`.
 */
export const loopbackOnly: MiddlewareHandler = async (context, next) => {
  const host = context.req.header('host') ?? new URL(context.req.url).host;
  if (!isLoopbackUrl(`http://${host}`)) throw forbidden(`The host ${host} is not this machine.`);
  const origin = context.req.header('origin');
  if (origin !== undefined && !isLoopbackUrl(origin)) {
    throw forbidden(`Pages of ${origin} may not use this API.`);
  }
  await next();
};

function isLoopbackUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  return isLoopback(new URL(url).hostname.replace(/^\[(.*)\]$/, '$1'));
}

function forbidden(message: string): ApiError {
  return new ApiError('FORBIDDEN', message, {
    hint: 'Without THAW_TOKEN the API serves this machine only: ask for it as 127.0.0.1 or localhost, or set THAW_TOKEN.',
  });
}
