import { type Logger, type LoggerOptions, pino } from 'pino';
import { isErrorCode } from '../contract/error-code.ts';
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

/**
 * A logger to standard error: JSON lines for machines, or `12:34:56 INFO  text key=value` for people.
 *
 * @param isTerse leaves out what a summary tells at the end, failures that nobody tries again, and the
 * SDK's talk to itself
 */
export function createLogger(settings: LogSettings, printer: Printer, isTerse = false): Logger {
  const level = settings.level === 'warning' ? 'warn' : settings.level;
  const write = settings.format === 'json' ? printer.log : (line: string) => printer.log(forPeople(line));
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: errorFields, error: errorFields },
    hooks: {
      logMethod(args, method) {
        if (!isTerse || level === 'debug' || !isIdle(args[0], args[1])) method.apply(this, args);
      },
    },
  };
  return pino(options, { write });
}

/** Tells whether a line of the SDK is of no use to somebody who waits for a summary. */
function isIdle(fields: unknown, message: unknown): boolean {
  const error = property(fields, 'error');
  const isAnswer = property(error, 'nonRetryable') === true && isErrorCode(property(error, 'type'));
  // The error of a workflow has lost its type on its way out of the sandbox.
  return isAnswer || message === 'Workflow failed' || property(fields, 'sdkComponent') === 'core';
}

function errorFields(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error;
  const code = property(error, 'type');
  const message = property(error, 'message');
  if (isErrorCode(code)) return { type: code, message };
  return { type: property(error, 'name'), message, stack: property(error, 'stack') };
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** What the SDK says of each of its lines, and people do not look for. */
const machineFields: ReadonlySet<string> = new Set([
  ...['activityId', 'activityType', 'isLocal', 'namespace', 'runId', 'sdkComponent', 'target', 'taskQueue'],
  ...['taskToken', 'workflowRunId', 'workflowType'],
]);

/** Turns a line of pino into one for people. */
export function forPeople(line: string): string {
  const { level, time, msg, err, error, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 19);
  const label = (pino.levels.labels[Number(level)] ?? '').toUpperCase().padEnd(5);
  const fields = Object.entries(rest)
    .filter(([key]) => !machineFields.has(key))
    .map(([key, value]) => `${key}=${fieldText(value)}`);
  const words = [clock, label, String(msg ?? ''), ...fields, errorText(error ?? err)];
  return `${words.filter((word) => word !== '').join(' ')}\n`;
}

/** An error by its code and message; its trace only where it has no code, as then it was not foreseen. */
function errorText(error: unknown): string {
  if (typeof error !== 'object' || error === null) return error === undefined ? '' : String(error);
  const { type, message, stack } = error as Record<string, unknown>;
  // That of a workflow was foreseen, too: it has lost its code on its way out of the sandbox.
  if (String(stack).startsWith('ApplicationFailure: ')) return String(message);
  return isErrorCode(type) ? `${type}: ${message}` : String(stack ?? message);
}

function fieldText(value: unknown): string {
  if (typeof value === 'number') return String(Math.round(value * 1000) / 1000);
  return typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value);
}
