import { parseSslMode, sslModeReason } from './ssl-mode.ts';
import type { DatabaseConfig } from './thaw-config.ts';

const schemes = ['postgres:', 'postgresql:'];

/** `postgres://user@/database`: libpq takes it, but a URL with a user needs a host. */
const noHost = /^(\w+:\/\/[^/?#]*@)(?=[:/?]|$)/;

/** What libpq and drivers besides it name; everything else in the query is no matter of where a database is. */
type UrlQuery = Readonly<Record<string, string | undefined>>;

/**
 * Reads a URL such as `postgres://user:secret@host:5432/database?sslmode=require`, as libpq does: parts are
 * percent-encoded; `host`, `port`, `user`, `password`, `dbname`, `sslmode` and `sslrootcert` may stand in the query
 * instead, `host` also as the folder of a Unix socket.
 *
 * @param sslMode where the URL does not say
 * @returns the connection, or what is wrong, one reason each; no reason quotes the URL
 */
export function parseDatabaseUrl(
  text: string,
  sslMode: DatabaseConfig['sslMode'],
): DatabaseConfig | readonly string[] {
  const whole = text.replace(noHost, '$1localhost');
  const url = URL.canParse(whole) ? new URL(whole) : null;
  if (url === null || !schemes.includes(url.protocol)) {
    return ['must be a postgres:// URL, with what is special in user and password percent-encoded'];
  }
  const parts = decoded(url);
  if (parts === null) return ['has a percent sign that encodes nothing: write it as %25'];
  const query: UrlQuery = Object.fromEntries(url.searchParams);
  const host = query.host ?? (parts.host || 'localhost');
  const port = query.port ?? (url.port || '5432');
  const user = query.user ?? parts.user;
  const name = query.dbname ?? parts.name;
  const mode = parseSslMode(sslWord(query) ?? sslMode);
  const faults = [
    ...(host.includes(',') ? ['must name one host'] : []),
    ...(isPort(port) ? [] : ['the port must be a whole number from 1 to 65535']),
    ...(user === '' ? ['names no user'] : []),
    ...(name === '' ? ['names no database'] : []),
    ...(mode === null ? [`sslmode ${sslModeReason}`] : []),
  ];
  if (faults.length > 0 || mode === null) return faults;
  return {
    name,
    host,
    port: Number(port),
    user,
    password: { secret: query.password ?? parts.password },
    sslMode: mode,
    sslRootCert: query.sslrootcert ?? null,
    tables: [],
  };
}

/** Tells whether a text is a port. */
export function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

function decoded(url: URL): Readonly<Record<'host' | 'user' | 'password' | 'name', string>> | null {
  try {
    return {
      host: decodeURIComponent(url.hostname.replace(/^\[(.*)\]$/, '$1')),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      name: decodeURIComponent(url.pathname.replace(/^\//, '')),
    };
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}

/** `ssl=true` and `sslmode=no-verify` are what drivers of Node say for libpq's `require`. */
function sslWord({ ssl, sslmode }: UrlQuery): string | undefined {
  if (sslmode === 'no-verify') return 'require';
  return sslmode ?? (ssl === 'true' || ssl === '1' ? 'require' : undefined);
}
