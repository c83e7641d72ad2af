import { type ExitCode, exitCodes } from './exit-code.ts';
import { Interrupt } from './interrupt.ts';
import type { Printer } from './printer.ts';

/** Milliseconds between two lines on how far it is. */
const lineEvery = 5_000;

/**
 * Looks at something without changing it, and tells now and then how far that is. Ctrl-C ends it.
 *
 * @param told how far it is
 */
export async function look(
  printer: Printer,
  told: () => string,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<ExitCode> {
  const interrupt = new Interrupt();
  const { signal } = interrupt;
  const timer = setInterval(() => printer.aside(told()), lineEvery);
  try {
    await work(signal);
    return exitCodes.done;
  } catch (error) {
    if (!signal.aborted) throw error;
    printer.aside('Interrupted: not everything was looked at. Nothing was changed.');
    return exitCodes.interrupted;
  } finally {
    clearInterval(timer);
    interrupt.release();
  }
}
