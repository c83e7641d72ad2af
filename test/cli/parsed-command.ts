import type { Command } from 'commander';
import { createProgram } from '../../src/cli/program.ts';
import { type RestoreFlags, restoreInputOf } from '../../src/cli/restore-flags.ts';

const nothing = () => {};

/** The program, with commands that do nothing; `thaw restore` still reads its flags to the end. */
export function idleProgram(): Command {
  const printer = { isTerminal: false, stream: process.stdout, line: nothing, aside: nothing, log: nothing };
  const program = createProgram({ env: {}, printer, end: nothing });
  idle(program);
  return program;
}

/** Fails unless a command line can be read: command, flags, values. */
export async function expectParsed(args: readonly string[]): Promise<void> {
  await idleProgram().parseAsync(args, { from: 'user' });
}

function idle(command: Command): void {
  command.exitOverride().configureOutput({ writeErr: nothing, writeOut: nothing });
  for (const inner of command.commands) idle(inner);
  const isRestore = command.name() === 'restore' && command.parent?.name() === 'thaw';
  if (isRestore) command.action((flags: RestoreFlags) => void restoreInputOf(flags));
  else if (command.commands.length === 0) command.action(nothing);
}
