import { ThawError } from '../contract/thaw-error.ts';
import { ApiError } from './api-error.ts';

interface Bucket {
  tokens: number;
  /** Milliseconds of the clock when `tokens` was true. */
  at: number;
}

/** Buckets kept at most: full ones are forgotten before more are made. */
const mostBuckets = 10_000;

/**
 * Limits how often each tenant starts something: a bucket of `perMinute` starts that fills evenly. It is of this
 * process: with two of the API a tenant has twice as many.
 */
export class RateLimit {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param now milliseconds of a clock that does not jump */
  constructor(perMinute: number, now: () => number = () => performance.now()) {
    this.#perMinute = perMinute;
    this.#now = now;
  }

  /** Counts a start. @throws ApiError `TOO_MANY_REQUESTS` with `Retry-After` */
  take(tenant: string): void {
    const bucket = this.#bucket(tenant);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return;
    }
    const seconds = Math.ceil((1 - bucket.tokens) * (60 / this.#perMinute));
    throw new ApiError('TOO_MANY_REQUESTS', `More than ${this.#perMinute} starts in a minute.`, {
      hint: `Ask again in ${seconds} s.`,
      headers: { 'Retry-After': String(seconds) },
    });
  }

  #bucket(tenant: string): Bucket {
    const now = this.#now();
    const bucket = this.#buckets.get(tenant) ?? { tokens: this.#perMinute, at: now };
    const filled = bucket.tokens + ((now - bucket.at) / 60_000) * this.#perMinute;
    bucket.tokens = Math.min(filled, this.#perMinute);
    bucket.at = now;
    if (!this.#buckets.has(tenant) && this.#buckets.size >= mostBuckets) this.#forgetFull(now);
    this.#buckets.set(tenant, bucket);
    return bucket;
  }

  /** A bucket that nothing was taken from for a minute is as good as a new one. */
  #forgetFull(now: number): void {
    for (const [tenant, { at }] of this.#buckets) if (now - at >= 60_000) this.#buckets.delete(tenant);
  }
}

const defaultPerMinute = 120;

/** @throws ThawError `ConfigInvalid` when `THAW_STARTS_PER_MINUTE` is no whole number from 1 */
export function configuredRateLimit(env: NodeJS.ProcessEnv): RateLimit {
  const value = env.THAW_STARTS_PER_MINUTE || String(defaultPerMinute);
  if (/^[1-9]\d{0,5}$/.test(value)) return new RateLimit(Number(value));
  throw new ThawError('ConfigInvalid', 'THAW_STARTS_PER_MINUTE: must be a whole number from 1 to 999999', {
    object: 'THAW_STARTS_PER_MINUTE',
    hint: `Leave it out for ${defaultPerMinute}.`,
  });
}
