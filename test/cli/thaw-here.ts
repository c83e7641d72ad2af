import { PassThrough } from 'node:stream';
import { CommanderError } from 'commander';
import { reportFailure } from '../../src/cli/failure.ts';
import { createProgram } from '../../src/cli/program.ts';
import type { CommandEnd } from './thaw-command.ts';

/**
 * Runs `thaw …` in this process, which takes a tenth of the time of one of its own. Signals, and how a process
 * ends, are for tests of the real command.
 */
export async function thawHere(args: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandEnd> {
  let [exitCode, stdout, stderr] = [0, '', ''];
  const stream = new PassThrough().setEncoding('utf8');
  stream.on('data', (text: string) => {
    stdout += text;
  });
  const log = (text: string) => {
    stderr += text;
  };
  const printer = {
    ...{ isTerminal: false, stream, log },
    line: (text = '') => void stream.write(`${text}\n`),
    aside: (text: string) => log(`${text}\n`),
  };
  const end = (code: number) => {
    exitCode = code;
  };
  const program = createProgram({ env, printer, end });
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeErr: log, writeOut: (text) => void stream.write(text) });
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    const isUsage = error instanceof CommanderError;
    exitCode = isUsage ? error.exitCode : reportFailure(error, printer, args.includes('--json'));
  }
  await new Promise<void>((resolve) => stream.on('end', resolve).end());
  return { exitCode, stdout, stderr };
}
