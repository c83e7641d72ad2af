import type { Command } from 'commander';
import { findRecordedSnapshot } from '../client/recorded-snapshot.ts';
import { findDatabase } from '../config/database-config.ts';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { CommandContext } from './context.ts';
import {
  type LogFlags,
  logSettings,
  type TemporalFlags,
  withConfig,
  withLog,
  withTemporal,
} from './flags.ts';
import { createLogger } from './logger.ts';
import { undoSnapshotRestore } from './snapshot-undo-job.ts';
import { runUndo } from './undo-job.ts';

interface UndoFlags extends TemporalFlags, LogFlags {
  readonly config?: string;
  readonly database?: string;
  readonly disableTriggers?: boolean;
  readonly reason?: string;
  readonly force?: boolean;
  /** False: --no-pre-snapshot. */
  readonly preSnapshot: boolean;
  readonly taskQueue?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const details = `
Of archives, rows that were changed since the restore are left as they are, and told by their keys; so are rows that
others refer to. Triggers fire as they did for the restore. With a Temporal cluster its workers do it, and
\`thaw watch\`, \`pause\`, \`resume\` and \`cancel\` take the id of the undo; without one this command does it.

Of a snapshot, all tables are brought back to the snapshot that the restore took before, or none: where one of them
was changed since the restore, nothing is done without --force. It can be undone in turn.

Examples:
    thaw undo 20260104-052021-abc123
    thaw undo 20260104-052021-abc123 --reason 'wrong day'
    thaw undo 20260104-052021-abc123 --yes --json

Exit codes: 0 all is as it was, also where it was undone already; 2 some rows were left; 1 it could not start or
failed; 130 interrupted: what was undone of archives stays so, and the same command goes on.`;

/** `thaw undo`: takes a restore back. */
export function addUndoCommand(program: Command, context: CommandContext): void {
  const command = withTemporal(withConfig(program.command('undo')))
    .argument('<restore>', 'id of a restore: of archives with --undoable, or of a snapshot')
    .summary('take back what a restore did')
    .description(
      'Takes a restore back. Of archives, rows that it inserted are deleted, those that it overwrote get what they ' +
        'had, and its archives no longer count as restored. Of a snapshot, the tables become what they were before.',
    )
    .option('--database <name>', 'only look in this database of the configuration')
    .option('--disable-triggers', "of archives: keep the tables' triggers from firing")
    .option('--force', 'of a snapshot: also tables that were changed since; these changes are lost')
    .option('--no-pre-snapshot', 'of a snapshot: take no snapshot first; the undo cannot be undone then')
    .option('--reason <text>', 'why, for those who look at it')
    .option(
      '--task-queue <name>',
      'task queue of the workers in the cluster (THAW_TASK_QUEUE, default: thaw)',
    )
    .option('--yes', 'ask nothing')
    .option('--json', 'print one JSON object and nothing else');
  withLog(command, 'warning')
    .addHelpText('after', details)
    .action(async (restoreId: string, flags: UndoFlags) => {
      const { env, printer } = context;
      const config = await loadConfig(configPath(flags.config, env).value, env);
      const database = flags.database === undefined ? null : findDatabase(config, flags.database).name;
      const reason = flags.reason ?? null;
      const yes = flags.yes === true;
      const { restores } = await findRecordedSnapshot(config, env, restoreId, database);
      const [restore] = restores;
      if (restore !== undefined) {
        refuse('--disable-triggers', flags.disableTriggers === true, 'archives');
        const logger = createLogger(logSettings(flags, 'warning'), printer, true);
        const how = { force: flags.force === true, preSnapshot: flags.preSnapshot };
        context.end(
          await undoSnapshotRestore({ config, restore, flags, env, printer, logger, reason, yes, ...how }),
        );
        return;
      }
      refuse('--force', flags.force === true, 'a snapshot');
      refuse('--no-pre-snapshot', !flags.preSnapshot, 'a snapshot');
      const disableTriggers = flags.disableTriggers === true;
      const json = flags.json === true;
      context.end(
        await runUndo({
          ...{ config, env, printer, restoreId, flags },
          ...{ database, disableTriggers, reason, yes, json },
        }),
      );
    });
}

function refuse(flag: string, isGiven: boolean, kind: string): void {
  if (!isGiven) return;
  throw new ThawError('InputInvalid', `${flag}: only where a restore of ${kind} is undone.`, {
    object: flag,
    hint: `Leave ${flag} out.`,
  });
}
