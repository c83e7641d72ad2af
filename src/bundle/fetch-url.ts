import { lookup as lookUp } from 'node:dns';
import type { IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import { ThawError } from '../contract/thaw-error.ts';
import { ask, failureWord, redirects } from '../http/ask.ts';
import { isPublicAddress } from './public-address.ts';
import { type AllowedPlaces, badUrl, checkHttpUrl, privateAddress } from './source-url.ts';

/** How a URL is read. */
export interface FetchOptions {
  readonly allowed: AllowedPlaces;
  /** Sent to the host of the first URL only; null: none. */
  readonly token: string | null;
  /** Bytes at most. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

/** What a URL gave. */
export interface FetchedBody {
  /** By the header; null where it says none. */
  readonly bytes: number | null;
  readonly chunks: AsyncIterable<Uint8Array>;
}

const mostRedirects = 5;
/** Milliseconds without a byte. */
const idle = 30_000;

/**
 * Reads a URL. The address that a name stands for is checked where the connection is made, so that the one that was
 * checked is the one that is asked; so is every redirect.
 *
 * @throws ThawError `InputInvalid` for private addresses, what is too large, and answers that no later try changes;
 *   `StoreUnavailable` for those of the moment
 */
export async function fetchUrl(first: URL, options: FetchOptions): Promise<FetchedBody> {
  let url = first;
  for (let hop = 0; hop <= mostRedirects; hop += 1) {
    checkHttpUrl(url, options.allowed);
    const answer = await open(url, url.origin === first.origin ? options.token : null, options);
    const { statusCode: status = 0, headers } = answer;
    if (status === 200) return bodyOf(answer, options);
    answer.destroy();
    if (!redirects.has(status)) throw refusedBy(url, status);
    const { location = '' } = headers;
    if (!URL.canParse(location, url.href)) throw badUrl('it redirects to nowhere');
    const next = new URL(location, url);
    if (next.username !== '' || next.password !== '') throw badUrl('it redirects to a URL with credentials');
    url = next;
  }
  throw badUrl(`it redirects more than ${mostRedirects} times`);
}

async function open(url: URL, token: string | null, options: FetchOptions): Promise<IncomingMessage> {
  const { allowed, signal } = options;
  const refused: ThawError[] = [];
  try {
    return await ask(url, {
      signal,
      idle,
      lookup: allowed.allowsHost(url) ? lookUp : checkedLookup(url, refused),
      headers: {
        accept: 'application/zip, application/gzip, application/octet-stream;q=0.9, */*;q=0.1',
        'accept-encoding': 'identity',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
    });
  } catch (error) {
    signal.throwIfAborted();
    throw refused[0] ?? unreachable(url, error);
  }
}

/** Looks a name up and gives only addresses that may be asked; one that may not refuses the name. */
function checkedLookup(url: URL, refused: ThawError[]): LookupFunction {
  return (hostname, options, callback) => {
    lookUp(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      if (addresses.every(({ address }) => isPublicAddress(address))) {
        const [first] = addresses;
        if (options.all === true) return callback(null, addresses);
        return callback(null, first?.address ?? '', first?.family);
      }
      const refusal = privateAddress(url);
      refused.push(refusal);
      callback(refusal, []);
    });
  };
}

function bodyOf(answer: IncomingMessage, options: FetchOptions): FetchedBody {
  const said = answer.headers['content-length'];
  const bytes = said === undefined ? null : Number(said);
  if (bytes !== null && bytes > options.limit) {
    answer.destroy();
    throw tooLarge(options);
  }
  return { bytes, chunks: limited(answer, options) };
}

async function* limited(answer: IncomingMessage, options: FetchOptions): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    for await (const chunk of answer) {
      bytes += (chunk as Buffer).length;
      if (bytes > options.limit) throw tooLarge(options);
      yield chunk as Buffer;
    }
  } catch (error) {
    options.signal.throwIfAborted();
    throw error instanceof ThawError ? error : unreachable(null, error);
  } finally {
    answer.destroy();
  }
}

function tooLarge({ limit }: FetchOptions): ThawError {
  return badUrl(`what it gives is larger than ${limit} bytes`);
}

/** Only the host is told: paths and queries may hold secrets. */
function refusedBy({ host }: URL, status: number): ThawError {
  if (status === 429 || status >= 500) return unavailable(`${host} answered ${status}`);
  return badUrl(`${host} answered ${status}`);
}

function unreachable(url: URL | null, error: unknown): ThawError {
  return unavailable(`${url === null ? 'its host' : url.host} cannot be read: ${failureWord(error)}`, error);
}

function unavailable(what: string, cause?: unknown): ThawError {
  return new ThawError('StoreUnavailable', `the URL of the bundle: ${what}`, {
    object: 'source_ref',
    hint: 'It is tried again. Check that the host can be reached from the workers.',
    cause,
  });
}
