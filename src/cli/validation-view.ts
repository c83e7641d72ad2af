import cliProgress from 'cli-progress';
import { formatBytes } from '../client/byte-size.ts';
import type { Report } from '../validate/report.ts';
import type { Printer } from './printer.ts';
import { formatCount } from './summary.ts';

/** A line for a pipe comes this often. */
const lineEveryMs = 5_000;

/** How much there is. */
export interface Expected {
  readonly archives: number;
  readonly bytes: number;
}

/** How far a validation is: a bar on a terminal, now and then a line on standard error elsewhere. */
export class ValidationView {
  readonly #report: Report;
  readonly #printer: Printer;
  readonly #bar: cliProgress.SingleBar | null;
  #expected: Expected | null = null;
  #shownAt = Date.now();

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
  }

  /** What there is in all, once it is known. */
  expect(expected: Expected): void {
    this.#expected = expected;
    this.#bar?.setTotal(Math.max(1, expected.bytes));
  }

  show(): void {
    const { bytes } = this.#report;
    const line = progressText(this.#report, this.#expected);
    if (this.#bar !== null) this.#bar.update(this.#expected === null ? 0 : bytes, { line });
    else if (Date.now() - this.#shownAt >= lineEveryMs) {
      this.#printer.aside(line);
      this.#shownAt = Date.now();
    }
  }

  stop(): void {
    this.#bar?.stop();
  }
}

/** `412/1,035 archives  34.2 MiB  2 invalid` */
export function progressText({ archives, bytes, invalid }: Report, expected: Expected | null): string {
  const total = expected === null ? '' : `/${formatCount(expected.archives)}`;
  const failed = invalid.length === 0 ? [] : [`${formatCount(invalid.length)} invalid`];
  return [`${formatCount(archives)}${total} archives`, formatBytes(bytes), ...failed].join('  ');
}
