import type { Command } from 'commander';
import { listTables } from '../client/archive-list.ts';
import { findDatabase } from '../config/database-config.ts';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { openStore } from '../store/open-store.ts';
import type { CommandContext } from './context.ts';
import { collect, withConfig } from './flags.ts';
import { printArchives } from './list-archives.ts';

interface ListFlags {
  readonly config?: string;
  readonly database?: string;
  readonly table?: readonly string[];
  readonly json?: boolean;
}

const examples = `
Examples:
    thaw list --config config.yaml                                                  databases
    thaw list --config config.yaml --database production_db                         tables
    thaw list --config config.yaml --database production_db --table audit_logs      archives`;

/** `thaw list`: what there is to restore. */
export function addListCommand(program: Command, context: CommandContext): void {
  withConfig(program.command('list'))
    .summary('list databases, tables or archives')
    .description('Lists the archives of a table; without one the tables, without a database the databases.')
    .option('--database <name>', 'database, as configured')
    .option('--table <name>', 'table, as archived; repeatable', collect)
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async ({ database, table, json, config: path }: ListFlags) => {
      const { env, printer } = context;
      const config = await loadConfig(configPath(path, env).value, env);
      if (database !== undefined && table !== undefined) {
        const input = { database, tables: [...table] };
        context.end(await printArchives({ config, input, json: json === true, env, printer }));
        return;
      }
      const names = database === undefined ? databases(config) : await tables(config, database, env);
      const what = database === undefined ? 'databases' : 'tables';
      if (json === true)
        printer.line(JSON.stringify({ ...(database === undefined ? {} : { database }), [what]: names }));
      else for (const name of names) printer.line(name);
    });
}

function databases(config: ThawConfig): string[] {
  return config.databases.map(({ name }) => name);
}

async function tables(config: ThawConfig, database: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const { name } = findDatabase(config, database);
  const store = openStore(config.store, env);
  try {
    return await listTables(store, config, name);
  } finally {
    store.close();
  }
}
