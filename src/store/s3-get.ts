import { setMaxListeners } from 'node:events';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { S3Client } from '@aws-sdk/client-s3';
import type { S3StoreConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { customerKeyHeaders } from './customer-key.ts';
import type { Agents } from './s3-client.ts';
import { GetSigner } from './sigv4.ts';
import { S3Answer } from './store-error.ts';

/** So long, in milliseconds, an answer may take to begin; an endpoint that swallows packets costs this. */
const headSilence = 10_000;
/** So long the body may stand still. */
const bodySilence = 30_000;
const longestErrorBody = 64 * 1024;

/** How to get an object. */
export interface GetOptions {
  /** First byte. @default 0 */
  readonly from?: number | undefined;
  /** The byte behind the last. @default the end */
  readonly to?: number | undefined;
  /** Refused by the store with 412 when the entity tag is another one. */
  readonly etag?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An answered GET whose body has not been read. */
export interface GetAnswer {
  /** Bytes of the whole object, wherever the body begins. */
  readonly bytes: number;
  /** Without quotes. */
  readonly etag: string;
  readonly body: IncomingMessage;
}

/** Where the objects of a bucket are on the network. */
interface Address {
  readonly send: typeof httpRequest;
  readonly agent: Agents['http'];
  readonly hostname: string;
  readonly port: string;
  readonly host: string;
  /** Path before the key, without trailing slash. */
  readonly base: string;
  readonly signer: GetSigner;
}

/**
 * Signed GETs over plain `node:http`, for the reads of which there are thousands: 0.16 to 0.19 ms of CPU
 * each, where the SDK's GetObject takes 0.56 to 0.62 (objects of 2 to 34 kB, Node 20, the same machine).
 * Endpoint rules and credentials, renewed in time, are those of the SDK's client.
 */
export class S3Get {
  readonly #client: S3Client;
  readonly #agents: Agents;
  readonly #config: S3StoreConfig;
  readonly #keyHeaders: Readonly<Record<string, string>>;
  #address: Promise<Address> | null = null;
  /** What the store's clock is ahead of ours, in milliseconds. */
  #clockOffset = 0;

  constructor(config: S3StoreConfig, client: S3Client, agents: Agents) {
    this.#config = config;
    this.#client = client;
    this.#agents = agents;
    this.#keyHeaders = customerKeyHeaders(config);
  }

  /** @throws S3Answer for any answer but 200 and 206; errors of the network as Node raises them */
  async get(key: string, options: GetOptions = {}): Promise<GetAnswer> {
    options.signal?.throwIfAborted();
    this.#address ??= this.#resolve();
    const address = await this.#address;
    const path = `${address.base}/${encodeKey(key)}`;
    try {
      return await this.#send(address, path, options);
    } catch (error) {
      // A kept connection that the store has closed meanwhile tells nothing about the store.
      if (error instanceof StaleConnection || error instanceof ClockCorrected) {
        return await this.#send(address, path, options);
      }
      throw error;
    }
  }

  async #send(address: Address, path: string, options: GetOptions): Promise<GetAnswer> {
    const keys = await this.#client.config.credentials();
    const now = new Date(Date.now() + this.#clockOffset);
    const headers = address.signer.headers(address.host, path, keys, now, this.#keyHeaders);
    const { from = 0, to } = options;
    if (from > 0 || to !== undefined) headers.range = `bytes=${from}-${to === undefined ? '' : to - 1}`;
    if (options.etag !== undefined) headers['if-match'] = `"${options.etag}"`;
    const { hostname, port, agent } = address;
    const message = await exchange(address.send, { hostname, port, path, headers, agent }, options.signal);
    if (message.statusCode === 200 || message.statusCode === 206) return answer(message, options.from ?? 0);
    throw await this.#refusal(message);
  }

  async #refusal(message: IncomingMessage): Promise<Error> {
    const body = await readText(message);
    const code = /<Code>([^<]*)<\/Code>/.exec(body)?.[1] ?? '';
    const region = message.headers['x-amz-bucket-region'] ?? /<Region>([^<]*)<\/Region>/.exec(body)?.[1];
    const date = Date.parse(message.headers.date ?? '');
    if (code === 'RequestTimeTooSkewed' && this.#clockOffset === 0 && Number.isFinite(date)) {
      this.#clockOffset = date - Date.now();
      return new ClockCorrected();
    }
    return new S3Answer(message.statusCode ?? 0, code, typeof region === 'string' ? region : undefined);
  }

  /** Asks the SDK's rules where the bucket is: path or virtual host, partition, dual stack, FIPS. */
  async #resolve(): Promise<Address> {
    const { bucket, endpoint, region, pathStyle } = this.#config;
    const { url, properties } = this.#client.config.endpointProvider({
      Bucket: bucket,
      Region: region,
      UseFIPS: await this.#client.config.useFipsEndpoint(),
      UseDualStack: await this.#client.config.useDualstackEndpoint(),
      ForcePathStyle: pathStyle,
      ...(endpoint === null ? {} : { Endpoint: endpoint }),
    });
    const scheme = properties?.authSchemes?.[0];
    if (scheme !== undefined && scheme.name !== 'sigv4') {
      throw new ThawError(
        'ConfigInvalid',
        `s3.bucket: ${scheme.name} buckets are not supported (got "${bucket}")`,
        {
          object: 's3.bucket',
          hint: 'Name a general purpose bucket.',
        },
      );
    }
    const isTls = url.protocol === 'https:';
    return {
      send: isTls ? httpsRequest : httpRequest,
      agent: isTls ? this.#agents.https : this.#agents.http,
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      host: url.host,
      base: url.pathname.replace(/\/$/, ''),
      signer: new GetSigner(scheme?.signingRegion ?? region),
    };
  }
}

/** A kept connection turned out closed before any answer: once more on another one. */
class StaleConnection extends Error {}

/** The store's clock is known now: once more with its time. */
class ClockCorrected extends Error {}

/** Sends a request and waits for the head of the answer. */
function exchange(
  send: Address['send'],
  options: RequestOptions,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = send({ ...options, timeout: headSilence });
    let message: IncomingMessage | null = null;
    const abort = () => request.destroy();
    if (signal !== undefined) {
      // One signal ends all reads of a load; by default Node takes more than ten for a leak and says so.
      setMaxListeners(0, signal);
      signal.addEventListener('abort', abort, { once: true });
    }
    request.on('response', (received) => {
      message = received;
      request.setTimeout(bodySilence);
      resolve(received);
    });
    // Also when it is our side that does not read, waiting for the database: it will go on by range.
    request.on('timeout', () => (message ?? request).destroy(timedOut()));
    request.on('error', (error) => {
      if (signal?.aborted) reject(signal.reason);
      else reject(request.reusedSocket && isReset(error) ? new StaleConnection() : error);
    });
    request.on('close', () => signal?.removeEventListener('abort', abort));
    request.end();
  });
}

function timedOut(): Error {
  return Object.assign(new Error(`nothing came in time`), { code: 'ETIMEDOUT' });
}

function isReset(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

/** @throws S3Answer when the answer does not say where its body begins and how long the object is */
function answer(message: IncomingMessage, from: number): GetAnswer {
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(message.headers['content-range'] ?? '');
  const begin = range === null ? 0 : Number(range[1]);
  const bytes = Number(range === null ? message.headers['content-length'] : range[2]);
  if (begin !== from || !Number.isSafeInteger(bytes)) {
    message.destroy();
    throw new S3Answer(502, 'RangeIgnored');
  }
  return { bytes, etag: (message.headers.etag ?? '').replaceAll('"', ''), body: message };
}

async function readText(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > longestErrorBody) break;
  }
  return Buffer.concat(chunks).toString();
}

/**
 * Percent-encodes a key as S3 signs it: everything but unreserved characters and the slash.
 *
 * @throws ThawError `InputInvalid` for text that is no key
 */
export function encodeKey(key: string): string {
  try {
    if (key !== '')
      return encodeURIComponent(key)
        .replaceAll('%2F', '/')
        .replace(/[!'()*]/g, percent);
  } catch {
    // A lone surrogate has no UTF-8.
  }
  throw new ThawError('InputInvalid', 'not a key that an object may have', { object: key });
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
