import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';

/** One request over HTTP. */
export interface HttpQuestion {
  /** @default 'GET' */
  readonly method?: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  /** Sent whole. */
  readonly body?: string;
  /** What names stand for; the machine's own when absent. */
  readonly lookup?: LookupFunction;
  /** Milliseconds without a byte. */
  readonly idle: number;
  readonly signal: AbortSignal;
}

/** What redirects to another URL. */
export const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Sends a request on a connection of its own, and waits for the head of the answer, whose body is to be read or
 * destroyed. Redirects are not followed.
 *
 * @throws what the socket says, raw; the signal's reason
 */
export async function ask(url: URL, question: HttpQuestion): Promise<IncomingMessage> {
  const { method = 'GET', headers, body, lookup, idle, signal } = question;
  const request = (url.protocol === 'https:' ? https : http).request(url, {
    method,
    signal,
    timeout: idle,
    // A connection that is kept was made for another request, to an address that was checked for that one.
    agent: false,
    ...(lookup === undefined ? {} : { lookup }),
    headers: {
      'user-agent': 'thaw',
      ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      ...headers,
    },
  });
  request.on('timeout', () => request.destroy(new Error(`no byte for ${idle / 1000} s`)));
  request.end(body);
  try {
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    return answer;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** The error of a connection in a word, without addresses. */
export function failureWord(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'it broke off';
}
