import { type Command, Option } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import { withPreview } from './command-snapshot-preview.ts';
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
import { snapshotName } from './point-in-time-flags.ts';
import { type ChoiceFlags, readChoice, withChoice } from './snapshot-choice.ts';
import { printSnapshotPreview } from './snapshot-preview-job.ts';
import { restoreSnapshot } from './snapshot-restore-job.ts';
import { whoAsks } from './who-asks.ts';

interface RestoreFlags extends ChoiceFlags, TemporalFlags, LogFlags {
  readonly config?: string;
  readonly ifUnchanged?: string;
  readonly dryRun?: boolean;
  readonly samples: number;
  readonly values?: boolean;
  readonly again?: boolean;
  /** False: --no-pre-snapshot. */
  readonly preSnapshot: boolean;
  readonly reason?: string;
  readonly confirm?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly detach?: boolean;
  readonly taskQueue?: string;
}

const examples = `
Examples:
  All tables of a snapshot, as they were:
    thaw snapshot restore 20260104-052021-abc123 --reason "the import of this morning"
  Two of them, of one tenant, without being asked:
    thaw snapshot restore 20260104-052021-abc123 --table orders --table sales.invoices \\
      --where tenant_id=42 --confirm
  What it would do, and the same if nobody has changed the tables meanwhile:
    thaw snapshot restore 20260104-052021-abc123 --dry-run --values
    thaw snapshot restore 20260104-052021-abc123 --if-unchanged IQyHvw5FlrjPfrV7n90Pug
  Only rows that are newer in the snapshot; nothing is deleted:
    thaw snapshot restore 20260104-052021-abc123 --strategy merge --newer-by updated_at
  What was marked in a diff:
    thaw snapshot restore 20260104-052021-abc123 --strategy selective --selection diff.jsonl
  Tables as they were at a time, by the newest snapshot before it and the log of changes since:
    thaw snapshot restore --to 2026-01-31T12:00:00Z --table orders --table customers
  A row of the table backup_pitr_snapshots, or a backup of the source system in the store:
    thaw snapshot restore a81c6f0e-3f1d-4c55-9a44-0b2f5a1f0c11
    thaw snapshot restore 6d1f0d5c-0000-4000-8000-000000000001/nightly-backup.json

All tables come back in one transaction, or none: others see the old state or the new one. A snapshot of what is
there is taken before, so that \`thaw undo RESTORE\` brings that back. Foreign keys are held meanwhile, and triggers do
not fire. With --where, rows of others are neither read nor written.

Exit codes: 0 restored, or accepted with --detach; 1 could not start, or failed; 3 the snapshot is not good, or does not
go with the tables; 130 interrupted or cancelled.

Killed at any moment, the same command goes on where it was.`;

/** `thaw snapshot restore`: brings tables back to a snapshot. */
export function addSnapshotRestoreCommand(snapshot: Command, { env, printer, end }: CommandContext): void {
  const command = withPreview(withChoice(withConfig(snapshot.command('restore'))))
    .summary('bring tables back to a snapshot')
    .description('Brings tables back to what a snapshot holds of them, all or nothing.')
    .option('--if-unchanged <token>', 'what a preview or diff gave: refuses tables that have changed since')
    .option('--dry-run', 'tell what it would do, as `thaw snapshot preview` does, and change nothing')
    .option('--again', 'also a snapshot that was restored before')
    .option('--no-pre-snapshot', 'take no snapshot first: the restore cannot be undone then')
    .option('--reason <text>', 'why, for the history')
    .option('--confirm', 'ask nothing')
    .addOption(new Option('--yes', 'the same').hideHelp())
    .option('--json', 'print the outcome as one JSON object and nothing else')
    .option('--detach', 'start it in the cluster and do not wait for its end')
    .option('--task-queue <name>', 'task queue of the workers (THAW_TASK_QUEUE, default: thaw)')
    .optionsGroup('Temporal and log:');
  withTemporal(command);
  withLog(command, 'warning')
    .addHelpText('after', examples)
    .action(async (id: string | undefined, flags: RestoreFlags) => {
      const config = await loadConfig(configPath(flags.config, env).value, env);
      const name = await snapshotName({ env, printer }, config, id, flags);
      const choice = await readChoice(config, name, flags, env);
      if (flags.dryRun === true) {
        const { samples, values = false, json = false, ifUnchanged = null } = flags;
        const job = { config, choice, env, printer, samples, values, json, ifUnchanged };
        return end(await printSnapshotPreview(job));
      }
      const how = {
        ...{ ifUnchanged: flags.ifUnchanged ?? null, again: flags.again === true },
        ...{ preSnapshot: flags.preSnapshot, reason: flags.reason ?? '', by: whoAsks(env) },
      };
      const isSure = flags.confirm === true || flags.yes === true;
      const logger = createLogger(logSettings(flags, 'warning'), printer, true);
      end(await restoreSnapshot({ config, choice, how, isSure, flags, env, printer, logger }));
    });
}
