import type { Command } from 'commander';
import { withDotenv } from '../config/dotenv.ts';
import { loadServices } from '../config/load-services.ts';
import type { CommandContext } from './context.ts';
import { type DumpFlags, dumpInputOf, withDumpFlags } from './dump-flags.ts';
import { runDumpJob } from './dump-job.ts';
import { logSettings } from './flags.ts';
import { createLogger } from './logger.ts';

const examples = `
Examples:
  A dump of a folder, as the procedures' script takes it:
    thaw restore-dump /var/backups/opareta/argus_20231201_020000.sql.gz argus
  The newest dump of a service, or the newest of 1 December:
    thaw restore-dump argus --latest
    thaw restore-dump argus --before 2023-12-01 --fallback 2
  A dump in S3, by its key, without asking:
    thaw restore-dump backup-2025-12-12T08-42-31-456Z.tar.gz --yes
  Beside the live database, to look at it:
    thaw restore-dump argus --latest --into argus_look --create
  One table, into the database that is there:
    thaw restore-dump argus --latest --only-table public.users --data-only
  What would be done, and whether the dump is good, with nothing touched:
    thaw restore-dump argus --latest --dry-run
  As the script does it, where there is no room for two:
    thaw restore-dump argus --latest --in-place

The dump is proved before anything is touched, loaded into a new database beside the live one, verified,
and swapped in by rename. A failure leaves the live database as it was; \`thaw swap-back\` undoes the swap.
Services are those of config.yaml, {NAME}_DB_HOST and the like, and RESTORE_DATABASE_URL.

Exit codes: 0 restored, or accepted with --detach; 1 could not start, or failed; 3 the dump is not good, or what
was loaded is not what it says; 130 interrupted or cancelled.

Killed at any moment, the same command goes on where it was.`;

/** `thaw restore-dump`: restores what pg_dump made. */
export function addRestoreDumpCommand(program: Command, context: CommandContext): void {
  withDumpFlags(program.command('restore-dump'))
    .argument('[file]', 'path or key of the dump')
    .argument('[service]', 'service whose database it goes into; may come first (default: the only one)')
    .summary('restore a dump of pg_dump into a database')
    .description('Restores a dump of pg_dump, from S3 or a folder, into the database of a service.')
    .addHelpText('after', examples)
    .action(async (file: string | undefined, service: string | undefined, flags: DumpFlags) => {
      const { env, printer } = context;
      const config = await loadServices(flags.config, env);
      const words = [file, service].filter((word) => word !== undefined);
      const input = dumpInputOf(words, flags, config, await withDotenv(env));
      const logger = createLogger(logSettings(flags, 'warning'), printer, true);
      context.end(await runDumpJob({ config, input, flags, env, printer, logger }));
    });
}
