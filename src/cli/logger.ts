import { type Logger, pino } from 'pino';
import type { Printer } from './printer.ts';

/** How much a command logs, and in which form. */
export interface LogSettings {
  /** `debug`, `info`, `warning` or `error`. */
  readonly level: LogLevel;
  readonly format: LogFormat;
}

/** The levels by the names that the flag has. */
export const logLevels = ['debug', 'info', 'warning', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['console', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

/** A logger to standard error: JSON lines for machines, or `12:34:56 INFO  text key=value` for people. */
export function createLogger(settings: LogSettings, printer: Printer): Logger {
  const level = settings.level === 'warning' ? 'warn' : settings.level;
  const write = settings.format === 'json' ? printer.log : (line: string) => printer.log(forPeople(line));
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write });
}

/** Turns a line of pino into one for people. */
export function forPeople(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 19);
  const label = (pino.levels.labels[Number(level)] ?? '').toUpperCase().padEnd(5);
  const fields = Object.entries(rest).map(([key, value]) => `${key}=${fieldText(value)}`);
  const words = [clock, label, String(msg ?? ''), ...fields].filter((word) => word !== '');
  const stack = typeof err === 'object' && err !== null && 'stack' in err ? `\n${String(err.stack)}` : '';
  return `${words.join(' ')}${stack}\n`;
}

function fieldText(value: unknown): string {
  return typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value);
}
