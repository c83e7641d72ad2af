import cliProgress from 'cli-progress';
import { formatBytes, formatCount } from '../restore/format.ts';
import type { Report } from '../validate/report.ts';
import type { Printer } from './printer.ts';

/** A line for a pipe comes this often. */
const lineEveryMs = 5_000;
/** The bar moves this often. */
const barEveryMs = 200;

/** How much there is. */
export interface Expected {
  readonly archives: number;
  /** Compressed. */
  readonly bytes: number;
}

/**
 * How far a validation is: a bar on a terminal, now and then a line on standard error elsewhere. By a timer,
 * since a single archive may take long.
 */
export class ValidationView {
  readonly #report: Report;
  readonly #printer: Printer;
  readonly #bar: cliProgress.SingleBar | null;
  readonly #timer: NodeJS.Timeout;
  #expected: Expected | null = null;
  #read = 0;

  /** @param isJson standard output is not for people */
  constructor(report: Report, printer: Printer, isJson: boolean) {
    this.#report = report;
    this.#printer = printer;
    this.#bar =
      printer.isTerminal && !isJson
        ? new cliProgress.SingleBar({
            format: '[{bar}] {percentage}%  {line}',
            stream: printer.stream,
            barsize: 24,
            // Ctrl-C is handled by the command.
            gracefulExit: false,
            clearOnComplete: true,
          })
        : null;
    this.#bar?.start(1, 0, { line: '' });
    this.#timer = setInterval(() => this.#show(), this.#bar === null ? lineEveryMs : barEveryMs);
  }

  /** What there is in all, once it is known. */
  expect(expected: Expected): void {
    this.#expected = expected;
    this.#bar?.setTotal(Math.max(1, expected.bytes));
  }

  /** Compressed bytes that were read. */
  read(bytes: number): void {
    this.#read += bytes;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#bar?.stop();
  }

  #show(): void {
    const line = this.#line();
    // An archive that is read again counts twice, and the bar has an end.
    const done = Math.min(this.#read, this.#expected?.bytes ?? 0);
    if (this.#bar === null) this.#printer.aside(line);
    else this.#bar.update(done, { line });
  }

  /** `412/1,035 archives  34.2 MiB  2 invalid` */
  #line(): string {
    const { archives, invalidArchives } = this.#report;
    const total = this.#expected === null ? '' : `/${formatCount(this.#expected.archives)}`;
    const failed = invalidArchives === 0 ? [] : [`${formatCount(invalidArchives)} invalid`];
    return [`${formatCount(archives)}${total} archives`, formatBytes(this.#read), ...failed].join('  ');
  }
}
