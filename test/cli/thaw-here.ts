import { PassThrough } from 'node:stream';
import { createProgram } from '../../src/cli/program.ts';
import type { CommandEnd } from './thaw-command.ts';

/**
 * Runs `thaw …` in this process, which takes a tenth of the time of one of its own. What it throws is thrown
 * here: how errors are printed, and signals, are for tests of the real command.
 */
export async function thawHere(args: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandEnd> {
  let [exitCode, stdout, stderr] = [0, '', ''];
  const stream = new PassThrough().setEncoding('utf8');
  stream.on('data', (text: string) => {
    stdout += text;
  });
  const program = createProgram({
    env,
    printer: {
      isTerminal: false,
      stream,
      line: (text = '') => void stream.write(`${text}\n`),
      aside: (text) => {
        stderr += `${text}\n`;
      },
      log: (text) => {
        stderr += text;
      },
    },
    end: (code) => {
      exitCode = code;
    },
  });
  await program.parseAsync([...args], { from: 'user' });
  await new Promise<void>((resolve) => stream.on('end', resolve).end());
  return { exitCode, stdout, stderr };
}
