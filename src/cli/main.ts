#!/usr/bin/env node
import { temporalError } from '../client/temporal-error.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { exitCodeOfError } from './exit-code.ts';
import { endProcess, type Printer, processPrinter } from './printer.ts';
import { createProgram } from './program.ts';
import { errorLines } from './summary.ts';

// Not for those who restore: package.json says which Node this release runs on.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

const printer = processPrinter();
let exitCode = 0;
const program = createProgram({
  env: process.env,
  printer,
  end: (code) => {
    exitCode = code;
  },
});

try {
  await program.parseAsync();
} catch (cause) {
  const error = temporalError(cause) ?? cause;
  exitCode = exitCodeOfError(error);
  printError(error, printer);
}
endProcess(exitCode);

/** Tells of an error that ended the command; where JSON was asked for, in JSON too. */
function printError(error: unknown, { aside, line }: Printer): void {
  for (const text of textOf(error)) aside(text);
  if (process.argv.includes('--json')) line(JSON.stringify({ error: jsonOf(error) }));
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
