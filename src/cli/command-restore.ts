import type { Command } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import type { CommandContext } from './context.ts';
import { dryRun } from './dry-run.ts';
import { exitCodes } from './exit-code.ts';
import { logSettings } from './flags.ts';
import { printArchives } from './list-archives.ts';
import { createLogger } from './logger.ts';
import { type RestoreFlags, restoreInputOf, withRestoreFlags } from './restore-flags.ts';
import { runRestoreJob } from './restore-job.ts';

const examples = `
Examples:
  Every archive of a table:
    thaw restore --config config.yaml --restore-all --database production_db --table audit_logs
  What was archived in January, replacing rows that are there:
    thaw restore --config config.yaml --restore-all --database production_db --table audit_logs \\
      --start-date 2026-01-01 --end-date 2026-01-31 --conflict-strategy overwrite
  Rows that were made in the last quarter of 2025, whenever they were archived:
    thaw restore --config config.yaml --restore-all --database production_db --table audit_logs \\
      --rows-from 2025-10-01 --rows-to 2025-12-31
  Into a table that is not there yet, made from the schema in the archives:
    thaw restore --config config.yaml --restore-all --database production_db --table audit_logs \\
      --into-table audit_logs_2025 --create-table
  What it would do, with the exact numbers of rows, or at once without them (--no-detect-conflicts):
    thaw restore --config config.yaml --restore-all --database production_db --table audit_logs --dry-run
  One archive:
    thaw restore --config config.yaml --s3-key archives/production_db/audit_logs/year=2026/month=01/day=04/audit_logs_20260104T052021Z_batch_001.jsonl.gz
  Without --restore-all and --s3-key: a list of the archives of a table.

Exit codes: 0 all restored, or nothing to do; 1 could not start, or failed; 2 some archives failed;
3 nothing was loaded, since archives or schema did not pass validation; 130 interrupted.

Killed at any moment, the same command goes on where it was.`;

/** `thaw restore`: the archive guide's command, with its flags. */
export function addRestoreCommand(program: Command, context: CommandContext): void {
  withRestoreFlags(program.command('restore'))
    .summary('restore archives into PostgreSQL')
    .description('Restores archived rows from S3 or a folder into PostgreSQL.')
    .addHelpText('after', examples)
    .action(async (flags: RestoreFlags, command: Command) => {
      context.end(await restore(flags, command, context));
    });
}

async function restore(flags: RestoreFlags, command: Command, context: CommandContext): Promise<number> {
  const { env, printer } = context;
  const input = restoreInputOf(flags);
  const isList = !input.restore_all && input.s3_keys === undefined;
  if (isList && (input.database === undefined || input.tables === undefined)) {
    printer.aside('InputInvalid: --restore-all, --s3-key, or --database and --table for a list are required');
    printer.aside(command.helpInformation());
    return exitCodes.failed;
  }
  const config = await loadConfig(configPath(flags.config, env).value, env);
  if (isList) return printArchives({ config, input, json: flags.json === true, env, printer });
  const logger = createLogger(logSettings(flags, 'warning'), printer, true);
  if (input.dry_run) return dryRun({ config, input, json: flags.json === true, env, printer });
  if (!input.detect_conflicts) {
    printer.aside(
      'Note: --no-detect-conflicts is for a dry run; a restore counts conflicts as it meets them.',
    );
  }
  return runRestoreJob({ config, input, flags, env, printer, logger });
}
