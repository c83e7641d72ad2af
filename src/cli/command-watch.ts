import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { exitCodeOf, exitCodes } from './exit-code.ts';
import { type TemporalFlags, withTemporal } from './flags.ts';
import { followRestore } from './follow.ts';
import { Interrupt } from './interrupt.ts';
import { progressView } from './progress-view.ts';
import { summaryLines } from './summary.ts';
import { requireTemporal, restoresOf } from './temporal.ts';

interface WatchFlags extends TemporalFlags {
  readonly json?: boolean;
}

const examples = `
Examples:
    thaw watch 20260104-052021-abc123
    thaw watch 20260104-052021-abc123 --json
`;

/** `thaw watch`: shows a restore until it ends, and ends as `thaw restore` would. */
export function addWatchCommand(program: Command, context: CommandContext): void {
  withTemporal(program.command('watch'))
    .argument('<restore>', 'id of the restore')
    .summary('follow a restore until it ends')
    .description(
      'Shows how a restore goes until it ends, with the exit code of `thaw restore`. Ctrl-C stops nothing.',
    )
    .option('--json', 'print the outcome as one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async (restoreId: string, flags: WatchFlags) => {
      context.end(await watch(restoreId, flags, context));
    });
}

async function watch(
  restoreId: string,
  flags: WatchFlags,
  { env, printer }: CommandContext,
): Promise<number> {
  const temporal = await requireTemporal(flags, env);
  const interrupt = new Interrupt();
  try {
    const outcome = await followRestore(restoresOf(temporal), restoreId, {
      view: progressView(printer, flags.json === true),
      silence: 'Nobody answers: is a worker running?',
      signal: interrupt.signal,
    });
    if (outcome === null) return exitCodes.interrupted;
    if (flags.json === true) printer.line(JSON.stringify(outcome));
    else for (const line of summaryLines(outcome)) printer.line(line);
    return exitCodeOf(outcome);
  } finally {
    interrupt.release();
    await temporal.close();
  }
}
