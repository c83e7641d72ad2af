import type { Command } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import type { CommandContext } from './context.ts';
import { withConfig } from './flags.ts';
import {
  deleteSnapshot,
  expireSnapshots,
  printSnapshot,
  printSnapshots,
  type StoredJob,
} from './stored-snapshots-job.ts';

interface StoredFlags {
  readonly config?: string;
  readonly database?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const ofList = `
Examples:
    thaw snapshot list
    thaw snapshot list --database production_db --json | jq -r '.snapshots[0].id'`;

const ofShow = `
Examples:
    thaw snapshot show 20260104-052021-abc123
    thaw snapshot show 20260104-052021-abc123 --json | jq '.tables[].columns[].name'`;

const ofDelete = `
Examples:
    thaw snapshot delete 20260104-052021-abc123
    thaw snapshot delete 20260104-052021-abc123 --yes`;

const ofExpire = `
Examples:
    thaw snapshot expire --dry-run
    thaw snapshot expire`;

/** `thaw snapshot list`, `show`, `delete` and `expire`: those that lie in the store. */
export function addStoredSnapshotCommands(snapshot: Command, context: CommandContext): void {
  const { end } = context;
  withJson(withConfig(snapshot.command('list')))
    .summary('list the snapshots in the store')
    .description('Lists the snapshots in the store, the newest first.')
    .option('--database <name>', 'only those of this database')
    .addHelpText('after', ofList)
    .action(async (flags: StoredFlags) => {
      end(await printSnapshots(await jobOf(flags, context), flags.database ?? null));
    });
  withJson(withConfig(snapshot.command('show')))
    .argument('<snapshot>', 'its id')
    .summary('tell what a snapshot holds')
    .description('Tells when a snapshot was taken, by whom, and the rows of its tables.')
    .addHelpText('after', ofShow)
    .action(async (id: string, flags: StoredFlags) => {
      end(await printSnapshot(await jobOf(flags, context), id));
    });
  withJson(withConfig(snapshot.command('delete')))
    .argument('<snapshot>', 'its id')
    .summary('delete a snapshot')
    .description(
      'Deletes a snapshot with all its rows from the store, unless a restore that goes on needs it.',
    )
    .option('--yes', 'do not ask')
    .addHelpText('after', ofDelete)
    .action(async (id: string, flags: StoredFlags) => {
      end(await deleteSnapshot(await jobOf(flags, context), id, flags.yes === true));
    });
  withJson(withConfig(snapshot.command('expire')))
    .summary('delete the snapshots that have expired')
    .description(
      'Deletes the snapshots that were to be kept until now (`create --keep`), and no other; one that a restore needs is left for the next time.',
    )
    .option('--dry-run', 'only tell which they are')
    .addHelpText('after', ofExpire)
    .action(async (flags: StoredFlags) => {
      end(await expireSnapshots(await jobOf(flags, context), flags.dryRun === true));
    });
}

function withJson(command: Command): Command {
  return command.option('--json', 'print one JSON object and nothing else');
}

async function jobOf(flags: StoredFlags, { env, printer }: CommandContext): Promise<StoredJob> {
  const config = await loadConfig(configPath(flags.config, env).value, env);
  return { config, env, printer, json: flags.json === true };
}
