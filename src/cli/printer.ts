/** Where a command writes to. */
export interface Printer {
  /** Whether people look at it: then progress is a bar. */
  readonly isTerminal: boolean;
  /** For the progress bar, which moves the cursor. */
  readonly stream: NodeJS.WritableStream;
  /** A line of the answer, on standard output. */
  line(text?: string): void;
  /** A line besides the answer, on standard error: errors, and what is being done. */
  aside(text: string): void;
  /** A line of the log, its end included, on standard error. */
  log(text: string): void;
}

/** The printer of this process. */
export function processPrinter(): Printer {
  // `thaw list | head` closes the pipe early, which is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    isTerminal: process.stdout.isTTY === true,
    stream: process.stdout,
    line: (text = '') => void process.stdout.write(`${text}\n`),
    aside: (text) => void process.stderr.write(`${text}\n`),
    log: (text) => void process.stderr.write(text),
  };
}

/** Ends the process once everything printed is on its way. Whatever still hangs on is left. */
export function endProcess(exitCode: number): void {
  process.exitCode = exitCode;
  process.stderr.write('', () => process.stdout.write('', () => process.exit(exitCode)));
}
