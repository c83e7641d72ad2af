import { type DevOptions, startDev } from './dev.ts';
import { aborted, awaitStopRequest } from './stop-request.ts';

/** Runs the whole stack until it is asked to stop, by SIGINT, SIGTERM or SIGHUP, then stops it. */
export async function runDev(options: Omit<DevOptions, 'signal'>): Promise<void> {
  const { signal, release } = awaitStopRequest();
  signal.addEventListener('abort', () => options.log(`thaw dev: stopping (${signal.reason})`));
  try {
    const dev = await startDev({ ...options, signal });
    options.log(`thaw dev: token ${dev.env.THAW_API_TOKEN}`);
    await aborted(signal);
    await dev.stop();
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    release();
  }
  options.log('thaw dev: stopped');
}
