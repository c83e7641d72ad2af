const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Somebody's wish that this process ends in an orderly way. */
export interface StopRequest {
  /** Aborted, with the reason as text, at the first request; further ones change nothing. */
  readonly signal: AbortSignal;
  /** Gives the signals back their usual effect. */
  release(): void;
}

/**
 * Waits for SIGINT, SIGTERM, SIGHUP or the end of whoever read the output; under npm also for the end of
 * npm, whose shell ends by a signal without passing it on.
 */
export function awaitStopRequest(): StopRequest {
  const asked = new AbortController();
  const ask = (reason: string) => asked.abort(reason);
  for (const signal of signals) process.on(signal, ask);
  // `| head` closes the pipe: unheard, that error would end this process before it has stopped anything.
  process.stdout.on('error', () => ask('nobody reads the output'));
  const parent = process.ppid;
  const underNpm = process.env.npm_lifecycle_event !== undefined;
  const watch = setInterval(() => {
    if (underNpm && process.ppid !== parent) ask('npm has ended');
  }, 500).unref();
  return {
    signal: asked.signal,
    release: () => {
      clearInterval(watch);
      for (const signal of signals) process.off(signal, ask);
    },
  };
}

/** Resolves when the signal is aborted. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}
