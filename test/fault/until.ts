import { setTimeout as delay } from 'node:timers/promises';

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
    const found = await look();
    if (found !== null && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`It did not come to pass within ${timeoutMs} ms: ${what}`);
    await delay(10);
  }
}
