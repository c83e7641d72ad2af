#!/usr/bin/env node
import { isGrpcServiceError } from '@temporalio/client';
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
} catch (error) {
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
  if (isGrpcServiceError(error)) return [`Temporal: ${error.details}`, ...silenceHint(error.code)];
  // What is none of ours is a fault of the program: its trace is all there is to go by.
  return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
}

/** gRPC's DEADLINE_EXCEEDED: Temporal took the question, and no worker came to answer it. */
function silenceHint(code: number): string[] {
  return code === 4
    ? ['hint: No worker answers for this restore: start `thaw worker`, or give its `thaw restore` again.']
    : [];
}

function jsonOf(error: unknown) {
  if (error instanceof ThawError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: null, message: error instanceof Error ? error.message : String(error), hint: null };
}
