import cliProgress from 'cli-progress';
import type { RestoreProgress } from '../contract/progress.ts';
import { isDumpProgress } from '../restore/dump-progress.ts';
import type { Printer } from './printer.ts';
import { doneShare, progressLine } from './progress-line.ts';

/** Shows how a restore goes. */
export interface ProgressView {
  show(progress: RestoreProgress): void;
  /** Says something in between. */
  say(line: string): void;
  /** Leaves the place to what comes next. */
  stop(): void;
}

/** A line for a pipe comes this often, and when the state or the step changes. */
const lineEveryMs = 5_000;

/** A bar for a terminal, now and then a line for a pipe, nothing where the answer is JSON. */
export function progressView(printer: Printer, isSilent: boolean): ProgressView {
  if (isSilent) return { show: () => {}, say: (line) => printer.aside(line), stop: () => {} };
  return printer.isTerminal ? new BarView(printer) : new LineView(printer);
}

class LineView implements ProgressView {
  readonly #printer: Printer;
  #what = '';
  #shownAt = 0;

  constructor(printer: Printer) {
    this.#printer = printer;
  }

  show(progress: RestoreProgress): void {
    const now = Date.now();
    const what = isDumpProgress(progress) ? `${progress.state} ${progress.step}` : progress.state;
    if (what === this.#what && now - this.#shownAt < lineEveryMs) return;
    this.#what = what;
    this.#shownAt = now;
    this.#printer.line(progressLine(progress));
  }

  say(line: string): void {
    this.#printer.line(line);
  }

  stop(): void {}
}

/** The bar counts thousandths, since archives and bytes are not known from the start. */
const steps = 1000;

class BarView implements ProgressView {
  readonly #printer: Printer;
  #bar: cliProgress.SingleBar | null = null;

  constructor(printer: Printer) {
    this.#printer = printer;
  }

  show(progress: RestoreProgress): void {
    this.#bar ??= this.#start();
    this.#bar.update(Math.round(doneShare(progress) * steps), { line: progressLine(progress) });
  }

  say(line: string): void {
    this.stop();
    this.#printer.line(line);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = null;
  }

  #start(): cliProgress.SingleBar {
    const bar = new cliProgress.SingleBar({
      format: (options, params, payload: { line: string }) =>
        `[${cliProgress.Format.BarFormat(params.progress, options)}] ${Math.floor(params.progress * 100)}%  ${payload.line}`,
      stream: this.#printer.stream,
      barsize: 24,
      // Ctrl-C is handled by the command.
      gracefulExit: false,
    });
    bar.start(steps, 0, { line: '' });
    return bar;
  }
}
