import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Printer } from '../../src/cli/printer.ts';
import { ValidationView } from '../../src/cli/validation-view.ts';
import { Report } from '../../src/validate/report.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('tells now and then in a pipe how far it is, also within one archive', () => {
  const lines: string[] = [];
  const printer: Printer = {
    isTerminal: false,
    stream: process.stdout,
    line: () => expect.unreachable(),
    aside: (line) => void lines.push(line),
    log: () => expect.unreachable(),
  };
  const report = new Report();
  const view = new ValidationView(report, printer, false);
  view.read(1024);
  vi.advanceTimersByTime(5_000);
  view.expect({ archives: 1500, bytes: 4096 });
  view.read(1024);
  report.verdict({
    ...{ key: 'k', bytes: 1024, records: 1, lacksMetadata: false, isMiscounted: false, warnings: [] },
    faults: [{ code: 'ArchiveCorrupt', message: 'k: broken', hint: '' }],
  });
  vi.advanceTimersByTime(5_000);
  view.stop();
  vi.advanceTimersByTime(60_000);
  expect(lines).toEqual(['0 archives  1.0 KiB', '1/1,500 archives  2.0 KiB  1 invalid']);
});
