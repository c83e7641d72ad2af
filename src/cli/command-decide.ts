import { Argument, type Command } from 'commander';
import { type DecisionAction, decisionActions } from '../contract/system-request.ts';
import type { CommandContext } from './context.ts';
import { type TemporalFlags, withTemporal } from './flags.ts';
import { requireTemporal, systemsOf } from './temporal.ts';

const examples = `
Examples:
  A service that could not be stopped, once it was stopped by hand:
    thaw decide 20231201-052021-abc123 stop:1 skip
  A dump that lies there in good order by now:
    thaw decide 20231201-052021-abc123 prove:argus retry
  No further, and everything back as it was:
    thaw decide 20231201-052021-abc123 restore:hermes abort
`;

/** `thaw decide`: says what becomes of a failed step of a system. */
export function addDecideCommand(program: Command, context: CommandContext): void {
  withTemporal(program.command('decide'))
    .argument('<restore>', 'id of the restore')
    .argument('<step>', 'step that waits, as `thaw status` names it')
    .addArgument(new Argument('<action>', 'what becomes of it').choices(decisionActions))
    .summary('say what becomes of a failed step of a system')
    .description(
      'Says what becomes of a step of `thaw restore-system` that failed and waits: retry does it again, skip goes on ' +
        'without it (a database that is skipped stays as it was), abort ends the restore.',
    )
    .addHelpText('after', examples)
    .action(async (restoreId: string, step: string, action: DecisionAction, flags: TemporalFlags) => {
      const temporal = await requireTemporal(flags, context.env);
      try {
        await systemsOf(temporal).decide(restoreId, { step, action });
        context.printer.line(`Step ${step} of restore ${restoreId}: ${action}.`);
      } finally {
        await temporal.close();
      }
    });
}
