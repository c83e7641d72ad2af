import type { Command } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import { chosenDatabase } from './chosen-database.ts';
import type { CommandContext } from './context.ts';
import { collect, withConfig } from './flags.ts';
import { printOrder } from './snapshot-order-job.ts';

interface OrderFlags {
  readonly config?: string;
  readonly database?: string;
  readonly schema?: string;
  readonly table?: readonly string[];
  readonly json?: boolean;
}

const examples = `
Examples:
    thaw snapshot order --table customers --table orders --table sales.invoices
    thaw snapshot order --schema sales
    thaw snapshot order --database production_db --json | jq -r '.groups[][]'

Tables in one group refer to each other in a circle, and no order of them is right. Keys of and to tables that
are not among those named are told as well: what they stand for is checked by a restore, too.`;

/** `thaw snapshot order`: parents first. */
export function addSnapshotOrderCommand(snapshot: Command, { env, printer, end }: CommandContext): void {
  withConfig(snapshot.command('order'))
    .summary('print in which order tables are restored')
    .description(
      'Prints in which order tables are restored by their foreign keys: those that are referred to first.',
    )
    .option('--database <name>', 'database of the tables (default: the only one)')
    .option('--table <[schema.]name>', 'table, of the schema public unless one is named; repeatable', collect)
    .option('--schema <name>', 'all tables of this schema (default without --table: of every schema)')
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async ({ config: path, database, schema, table, json }: OrderFlags) => {
      const config = await loadConfig(configPath(path, env).value, env);
      end(
        await printOrder({
          database: chosenDatabase(config, database ?? null),
          schema: schema ?? null,
          tables: table ?? [],
          json: json === true,
          ...{ env, printer },
        }),
      );
    });
}
