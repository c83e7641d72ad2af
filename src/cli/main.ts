#!/usr/bin/env node
import { reportFailure } from './failure.ts';
import { endProcess, processPrinter } from './printer.ts';
import { createProgram } from './program.ts';

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
  exitCode = reportFailure(cause, printer, process.argv.includes('--json'));
}
endProcess(exitCode);
