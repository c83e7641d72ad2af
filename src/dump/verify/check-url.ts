import { setTimeout as delay } from 'node:timers/promises';
import type { DumpCheck } from '../../contract/dump-activities.ts';
import { ask, failureWord, redirects } from '../../http/ask.ts';

/** How a URL is asked. */
export interface UrlCheck {
  readonly url: string;
  /** 1-based; names the check. */
  readonly number: number;
  /** How long it is asked again. @default 60 */
  readonly seconds?: number;
  readonly signal: AbortSignal;
}

const mostRedirects = 5;
/** Milliseconds that one try may take in all. */
const tryTimeout = 10_000;
const shortestPause = 250;
const longestPause = 5_000;

/**
 * Asks a health endpoint until it answers with success: services take a while to find a database that was away.
 * Nothing but the host and the status is told: paths may hold secrets, and bodies rows.
 *
 * @throws the signal's reason
 */
export async function checkUrl(check: UrlCheck): Promise<DumpCheck> {
  const { url: text, number, seconds = 60, signal } = check;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !isHttp(url)) {
    return { name: `url ${number}`, outcome: 'failed', detail: 'It is no http or https URL.' };
  }
  const name = `url ${number} (${url.host})`;
  const end = performance.now() + seconds * 1000;
  for (let tries = 1; ; tries += 1) {
    const said = await askOnce(url, signal);
    if (said === null) {
      return {
        name,
        outcome: 'passed',
        detail: `It answers with success${tries === 1 ? '' : `, at try ${tries}`}.`,
      };
    }
    const pause = Math.min(shortestPause * 2 ** (tries - 1), longestPause);
    if (performance.now() + pause > end) {
      return {
        name,
        outcome: 'failed',
        detail: `${said} (tried ${tries === 1 ? 'once' : `${tries} times`} in ${seconds} s).`,
      };
    }
    await delay(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** @returns null for success, otherwise what was wrong */
async function askOnce(first: URL, signal: AbortSignal): Promise<string | null> {
  const timeout = AbortSignal.timeout(tryTimeout);
  let url = first;
  for (let hop = 0; hop <= mostRedirects; hop += 1) {
    const answer = await ask(url, {
      // Some services redirect what does not ask for their API.
      headers: { accept: 'application/json, */*;q=0.1' },
      idle: tryTimeout,
      signal: AbortSignal.any([signal, timeout]),
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      return timeout.aborted ? 'It does not answer in time' : `It cannot be reached: ${failureWord(error)}`;
    });
    if (typeof answer === 'string') return answer;
    answer.destroy();
    const { statusCode: status = 0, headers } = answer;
    if (status >= 200 && status < 300) return null;
    if (!redirects.has(status)) return `It answers ${status}`;
    const { location = '' } = headers;
    if (!URL.canParse(location, url.href)) return 'It redirects to nowhere';
    url = new URL(location, url);
    if (!isHttp(url)) return 'It redirects to what is no http or https URL';
  }
  return `It redirects more than ${mostRedirects} times`;
}

function isHttp({ protocol }: URL): boolean {
  return protocol === 'http:' || protocol === 'https:';
}
