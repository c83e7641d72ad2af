import type { Command } from 'commander';
import type { RestoreClient } from '../client/restore-client.ts';
import type { CommandContext } from './context.ts';
import { type TemporalFlags, withTemporal } from './flags.ts';
import { requireTemporal, restoresOf } from './temporal.ts';

interface PauseFlags extends TemporalFlags {
  readonly now?: boolean;
  readonly reason?: string;
}

const pauseExamples = `
Examples:
    thaw pause 20260104-052021-abc123
    thaw pause 20260104-052021-abc123 --now --reason 'maintenance of the database'
`;

const resumeExamples = `
Examples:
    thaw resume 20260104-052021-abc123
`;

const cancelExamples = `
Examples:
    thaw cancel 20260104-052021-abc123 --reason 'wrong database'
`;

/** `thaw pause`, `thaw resume` and `thaw cancel`. */
export function addControlCommands(program: Command, context: CommandContext): void {
  withTemporal(program.command('pause'))
    .argument('<restore>', 'id of the restore')
    .description('Pauses a restore: nothing new is started, and loads in flight end.')
    .option('--now', 'roll loads in flight back; they are done again at resume')
    .option('--reason <text>', 'why, for those who look at it')
    .addHelpText('after', pauseExamples)
    .action(async (restoreId: string, { now, reason, ...flags }: PauseFlags) => {
      const state = await withRestores(flags, context, (restores) =>
        restores.pause(restoreId, reason ?? null, now === true),
      );
      context.printer.line(`Restore ${restoreId} is ${state}. Go on with: thaw resume ${restoreId}`);
    });

  withTemporal(program.command('resume'))
    .argument('<restore>', 'id of the restore')
    .description('Goes on with a paused restore.')
    .addHelpText('after', resumeExamples)
    .action(async (restoreId: string, flags: TemporalFlags) => {
      const state = await withRestores(flags, context, (restores) => restores.resume(restoreId));
      context.printer.line(`Restore ${restoreId} is ${state}.`);
    });

  withTemporal(program.command('cancel'))
    .argument('<restore>', 'id of the restore')
    .description('Cancels a restore: loads in flight are rolled back, what was restored before stays.')
    .option('--reason <text>', 'why, for those who look at it')
    .addHelpText('after', cancelExamples)
    .action(async (restoreId: string, { reason, ...flags }: PauseFlags) => {
      await withRestores(flags, context, (restores) => restores.cancel(restoreId, reason ?? null));
      context.printer.line(
        `Restore ${restoreId} is being cancelled. See its end with: thaw watch ${restoreId}`,
      );
    });
}

async function withRestores<T>(
  flags: TemporalFlags,
  { env }: CommandContext,
  action: (restores: RestoreClient) => Promise<T>,
): Promise<T> {
  const temporal = await requireTemporal(flags, env);
  try {
    return await action(restoresOf(temporal));
  } finally {
    await temporal.close();
  }
}
