import { Context } from '@temporalio/activity';

/** A cancelled or paused activity learns of it by the answer to a heartbeat, so they come often. */
const interval = 1000;

/**
 * Sends heartbeats while an action runs: what `tell` gives, or none while it gives null, so that an
 * action that hangs loses its place.
 */
export async function withHeartbeats<T>(tell: () => unknown, action: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const beat = () => {
    const details = tell();
    if (details !== null) context.heartbeat(details);
  };
  beat();
  const timer = setInterval(beat, interval);
  try {
    return await action();
  } finally {
    clearInterval(timer);
  }
}
