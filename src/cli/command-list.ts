import type { Command } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import { chosenDatabase } from './chosen-database.ts';
import type { CommandContext } from './context.ts';
import { collect, withConfig } from './flags.ts';
import { printArchives } from './list-archives.ts';
import { printTables } from './list-tables.ts';

interface ListFlags {
  readonly config?: string;
  readonly database?: string;
  readonly table?: readonly string[];
  /** false: not counted. */
  readonly rows: boolean;
  readonly json?: boolean;
}

const examples = `
Examples:
    thaw list --config config.yaml                                                  all tables
    thaw list --config config.yaml --database production_db --no-rows               those of a database
    thaw list --config config.yaml --database production_db --table audit_logs      archives of a table`;

/** `thaw list`: what there is to restore. */
export function addListCommand(program: Command, context: CommandContext): void {
  withConfig(program.command('list'))
    .summary('list tables or archives')
    .description(
      'Lists the archives of a table; without one, which databases and tables have archives, how many, with how many rows, and of which days. Tables of one name in several schemas share a folder, and are told apart.',
    )
    .option('--database <name>', 'only this database')
    .option('--table <name>', 'table, as archived, whose archives are listed; repeatable', collect)
    .option(
      '--no-rows',
      'tell no rows and schemas, which takes the metadata of every archive: a request each',
    )
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async ({ database, table, rows, json, config: path }: ListFlags) => {
      const { env, printer } = context;
      const config = await loadConfig(configPath(path, env).value, env);
      const job = { config, json: json === true, env, printer };
      if (table === undefined) {
        context.end(await printTables({ ...job, database: database ?? null, withRows: rows }));
        return;
      }
      const input = { database: chosenDatabase(config, database ?? null).name, tables: [...table] };
      context.end(await printArchives({ ...job, input, withRows: rows }));
    });
}
