import type { Command } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import type { CommandContext } from './context.ts';
import { collect, withConfig } from './flags.ts';
import { runVerify } from './verify-job.ts';

interface VerifyFlags {
  readonly config?: string;
  readonly database?: string;
  readonly table?: readonly string[];
  readonly json?: boolean;
}

const more = `
Every row of the archives that the restore brought is looked up in the table by its key and compared to the
last bit. Nothing is written but temporary tables.

Examples:
    thaw verify 20260104-052021-abc123 --config config.yaml
    thaw verify 20260104-052021-abc123 --table audit_logs --json

Exit codes: 0 the table has what was archived; 3 it differs; 1 something could not be compared (an archive is
gone or has changed, a table is not there); 130 interrupted.`;

/** `thaw verify`: whether tables have what a restore brought. */
export function addVerifyCommand(program: Command, context: CommandContext): void {
  withConfig(program.command('verify'))
    .argument('<restore>', 'id of the restore, as `thaw status` lists it')
    .summary('compare tables with the archives that a restore brought')
    .description('Compares the tables of a restore with the archives that they came from.')
    .option('--database <name>', 'only look for the restore in this database of the configuration')
    .option('--table <name>', 'only this table; repeatable', collect)
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', more)
    .action(async (restoreId: string, flags: VerifyFlags) => {
      const { env, printer } = context;
      const config = await loadConfig(configPath(flags.config, env).value, env);
      const exitCode = await runVerify({
        ...{ config, env, printer, restoreId },
        database: flags.database ?? null,
        tables: flags.table ?? null,
        json: flags.json === true,
      });
      context.end(exitCode);
    });
}
