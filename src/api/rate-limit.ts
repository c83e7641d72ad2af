import { ThawError } from '../contract/thaw-error.ts';
import type { ControlDatabase } from '../control/control-database.ts';
import { takeStart } from '../control/start-limits.ts';
import { ApiError } from './api-error.ts';

/** Limits how often each tenant starts something, whichever process of the API it asks. */
export class RateLimit {
  readonly #control: Pick<ControlDatabase, 'use'>;
  readonly #perMinute: number;

  constructor(control: Pick<ControlDatabase, 'use'>, perMinute: number) {
    this.#control = control;
    this.#perMinute = perMinute;
  }

  /** Counts a start. @throws ApiError `TOO_MANY_REQUESTS` with `Retry-After` */
  async take(tenant: string): Promise<void> {
    const perMinute = this.#perMinute;
    const seconds = await this.#control.use((client) => takeStart(client, tenant, perMinute));
    if (seconds === null) return;
    throw new ApiError('TOO_MANY_REQUESTS', `More than ${perMinute} starts in a minute.`, {
      hint: `Ask again in ${seconds} s.`,
      headers: { 'Retry-After': String(seconds) },
    });
  }
}

const defaultPerMinute = 120;

/**
 * Starts that a tenant has in a minute: `THAW_STARTS_PER_MINUTE`.
 *
 * @throws ThawError `ConfigInvalid` when it is no whole number from 1
 */
export function startsPerMinute(env: NodeJS.ProcessEnv): number {
  const value = env.THAW_STARTS_PER_MINUTE || String(defaultPerMinute);
  if (/^[1-9]\d{0,5}$/.test(value)) return Number(value);
  throw new ThawError('ConfigInvalid', 'THAW_STARTS_PER_MINUTE: must be a whole number from 1 to 999999', {
    object: 'THAW_STARTS_PER_MINUTE',
    hint: `Leave it out for ${defaultPerMinute}.`,
  });
}
