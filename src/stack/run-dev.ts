import { type DevOptions, startDev } from './dev.ts';

/** Runs the whole stack until SIGINT, SIGTERM or SIGHUP, then stops it; a second signal changes nothing. */
export async function runDev(options: Omit<DevOptions, 'signal'>): Promise<void> {
  const asked = new AbortController();
  const ask = (signal: NodeJS.Signals) => {
    if (!asked.signal.aborted) options.log(`thaw dev: stopping (${signal})`);
    asked.abort(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, ask);
  try {
    const dev = await startDev({ ...options, signal: asked.signal });
    await aborted(asked.signal);
    await dev.stop();
  } catch (error) {
    if (!asked.signal.aborted) throw error;
  } finally {
    for (const signal of signals) process.off(signal, ask);
  }
  options.log('thaw dev: stopped');
}

/** Resolves when the signal is aborted. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}
