import { setTimeout as delay } from 'node:timers/promises';
import { isTemporalUnavailable } from '../../src/client/temporal-error.ts';

/**
 * Looks again and again until there is something to give.
 *
 * @param what is said when it does not come to pass
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | false>,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    // Once in thousands, a query that comes with an update gets no answer; who watches asks again, as follow.ts does.
    const found = await look().catch((error: unknown) => {
      if (isTemporalUnavailable(error) && Date.now() < deadline) return null;
      throw error;
    });
    if (found !== null && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`It did not come to pass within ${timeoutMs} ms: ${what}`);
    await delay(10);
  }
}
