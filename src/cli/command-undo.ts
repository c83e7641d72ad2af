import type { Command } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import type { CommandContext } from './context.ts';
import { type TemporalFlags, withConfig, withTemporal } from './flags.ts';
import { runUndo } from './undo-job.ts';

interface UndoFlags extends TemporalFlags {
  readonly config?: string;
  readonly database?: string;
  readonly disableTriggers?: boolean;
  readonly reason?: string;
  readonly taskQueue?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const details = `
Rows that were changed since the restore are left as they are, and told by their keys; so are rows that others refer
to. Triggers fire as they did for the restore. With a Temporal cluster its workers do it, and \`thaw watch\`, \`pause\`,
\`resume\` and \`cancel\` take the id of the undo; without one this command does it.

Examples:
    thaw undo 20260104-052021-abc123
    thaw undo 20260104-052021-abc123 --reason 'wrong day'
    thaw undo 20260104-052021-abc123 --yes --json

Exit codes: 0 all is as it was, also where it was undone already; 2 some rows were left; 1 it could not start or failed; 130 interrupted: what was
undone stays so, and the same command goes on.`;

/** `thaw undo`: takes a restore back. */
export function addUndoCommand(program: Command, context: CommandContext): void {
  withTemporal(withConfig(program.command('undo')))
    .argument('<restore>', 'id of a restore that was done with --undoable')
    .summary('take back what a restore with --undoable did')
    .description(
      'Deletes the rows that a restore inserted, and gives those that it overwrote what they had. Its archives no ' +
        'longer count as restored.',
    )
    .option('--database <name>', 'only look in this database of the configuration')
    .option('--disable-triggers', "keep the tables' triggers from firing")
    .option('--reason <text>', 'why, for those who look at it')
    .option(
      '--task-queue <name>',
      'task queue of the workers in the cluster (THAW_TASK_QUEUE, default: thaw)',
    )
    .option('--yes', 'ask nothing')
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', details)
    .action(async (restoreId: string, flags: UndoFlags) => {
      const { env, printer } = context;
      const config = await loadConfig(configPath(flags.config, env).value, env);
      context.end(
        await runUndo({
          ...{ config, env, printer, restoreId, flags },
          database: flags.database ?? null,
          disableTriggers: flags.disableTriggers === true,
          reason: flags.reason ?? null,
          yes: flags.yes === true,
          json: flags.json === true,
        }),
      );
    });
}
