import { cpus, loadavg, release, totalmem, type } from 'node:os';
import type { Contestant, Run } from './contestant.ts';
import type { ServerCpu } from './servers.ts';

/** A run with what it took the servers. */
export interface Measurement extends Run {
  readonly servers: ServerCpu;
}

/** A contestant's measured rounds, in their order. */
export interface Result {
  readonly contestant: Contestant;
  readonly measurements: readonly Measurement[];
}

/** The middle one; between two, their mean. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/**
 * The results as a Markdown table. Ratios are to the first contestant in the same round, CPU seconds and
 * times the medians of all rounds.
 */
export function markdownTable(results: readonly Result[], rows: number): string {
  const yardstick = results[0]?.measurements ?? [];
  const head = [
    ...['', 'lanes', 'median', 'fastest – slowest', 'ratio', 'rows/s', 'Thaw CPU', 'PostgreSQL CPU'],
    ...['S3 CPU', 'Temporal CPU', 'peak memory'],
  ];
  const lines = results.flatMap((result) => resultLines(result, yardstick, rows));
  const all = [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...lines];
  return all.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Processor, memory, system, and how busy it is with other things, for the line above the table. */
export function machine(): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const processor = `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}`;
  const load = (loadavg()[0] ?? 0).toFixed(1);
  return `${processor}, ${memory} GiB, ${type()} ${release()}, Node ${process.versions.node}, load ${load} before the start`;
}

function resultLines(
  { contestant, measurements }: Result,
  yardstick: readonly Measurement[],
  rows: number,
): string[][] {
  const perMillion = (pick: (measurement: Measurement) => number | null) => {
    const values = measurements.flatMap((measurement) => pick(measurement) ?? []);
    return values.length === 0 ? '' : `${((median(values) / rows) * 1e6).toFixed(2)} s`;
  };
  const timeCells = (pick: (measurement: Measurement) => number) => {
    const times = measurements.map(pick);
    const ratios = times.map((time, index) => time / (yardstick[index]?.seconds ?? Number.NaN));
    return [
      `${median(times).toFixed(2)} s`,
      `${Math.min(...times).toFixed(2)} – ${Math.max(...times).toFixed(2)} s`,
      median(ratios).toFixed(2),
      Math.round(rows / median(times)).toLocaleString('en-US'),
    ];
  };
  const peaks = measurements.flatMap(({ peakBytes }) => peakBytes ?? []);
  const main = [
    contestant.name,
    contestant.lanes?.toString() ?? '',
    ...timeCells(({ seconds }) => seconds),
    perMillion(({ cpuSeconds }) => cpuSeconds),
    ...(['postgres', 's3', 'temporal'] as const).map((server) =>
      contestant.servers.includes(server) ? perMillion(({ servers }) => servers[server]) : '',
    ),
    peaks.length === 0 ? '' : `${Math.round(Math.max(...peaks) / 2 ** 20)} MiB`,
  ];
  const parts = Object.keys(measurements[0]?.parts ?? {}).map((part) => [
    `… ${part}`,
    '',
    ...timeCells(({ parts }) => parts[part] ?? Number.NaN),
    ...['', '', '', '', ''],
  ]);
  return [main, ...parts];
}
