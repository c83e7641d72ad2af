import { temporalError } from '../client/temporal-error.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { exitCodeOfError } from './exit-code.ts';
import type { Printer } from './printer.ts';
import { errorLines } from './summary.ts';

/** Tells of an error that ended the command, in JSON too where that was asked for, and how the process is to end. */
export function reportFailure(cause: unknown, { aside, line }: Printer, isJson: boolean): number {
  const error = temporalError(cause) ?? cause;
  for (const text of textOf(error)) aside(text);
  if (isJson) line(JSON.stringify({ error: jsonOf(error) }));
  return exitCodeOfError(error);
}

function textOf(error: unknown): string[] {
  if (error instanceof ThawError) return errorLines(error);
  // What is none of ours is a fault of the program: its trace is all there is to go by.
  return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
}

function jsonOf(error: unknown) {
  if (error instanceof ThawError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: null, message: error instanceof Error ? error.message : String(error), hint: null };
}
