import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningProcess } from './process.ts';

/** A process that is kept up. */
export interface Supervised {
  /** Stops it for good. */
  stop(): Promise<void>;
}

/** Between two starts: grows while it keeps ending at once, so that a broken one does not spin. */
const shortestPauseMs = 500;
const longestPauseMs = 30_000;

/**
 * Keeps a process up: whenever it ends without having been stopped, a line is logged and it is started
 * again, under the same name and, where that is still free, on the same port.
 */
export function supervise(
  first: RunningProcess,
  restart: () => Promise<{ readonly process: RunningProcess }>,
  log: (line: string) => void,
): Supervised {
  const stopping = new AbortController();
  let current = first;
  const watch = async () => {
    let pause = shortestPauseMs;
    for (;;) {
      const started = Date.now();
      const how = await current.ended;
      if (stopping.signal.aborted) return;
      pause = Date.now() - started > longestPauseMs ? shortestPauseMs : Math.min(pause * 2, longestPauseMs);
      log(`${current.name} ended (${how}); it is started again`);
      current = await startAgain(pause);
      if (stopping.signal.aborted) return;
    }
  };
  const startAgain = async (pause: number): Promise<RunningProcess> => {
    for (;;) {
      await sleep(pause, null, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return current;
      try {
        return (await restart()).process;
      } catch (error) {
        log(error instanceof Error ? error.message : String(error));
      }
    }
  };
  const watching = watch();
  return {
    stop: async () => {
      stopping.abort();
      await current.stop();
      await watching;
      // A start that was under way when stop was called has become the current one by now.
      await current.stop();
    },
  };
}
