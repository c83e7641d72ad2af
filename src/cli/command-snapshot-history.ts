import type { Command } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { listHistory } from '../postgres/snapshot-history.ts';
import { chosenDatabase } from './chosen-database.ts';
import type { CommandContext } from './context.ts';
import { exitCodes } from './exit-code.ts';
import { type TemporalFlags, wholeNumber, withConfig, withTemporal } from './flags.ts';
import { settleSnapshots } from './settle-snapshots.ts';
import { historyLines } from './snapshot-history-lines.ts';

interface HistoryFlags extends TemporalFlags {
  readonly config?: string;
  readonly database?: string;
  readonly limit: number;
  readonly json?: boolean;
}

const examples = `
Examples:
    thaw snapshot history                                  the newest 20, with those that run
    thaw snapshot history 20260104-052021-abc123           of this snapshot
    thaw snapshot history --json | jq '.restores[] | {restore_id, current_step, restoration_steps}'

What runs is told while it runs, table by table; --json has the documented columns of
backup_pitr_rollback_history. A restore whose workflow was terminated is ended first, with all that it
has left, where Temporal can be asked whether it was.`;

/** `thaw snapshot history`: restores of snapshots that run, and that were done. */
export function addSnapshotHistoryCommand(snapshot: Command, { env, printer, end }: CommandContext): void {
  withTemporal(withConfig(snapshot.command('history')))
    .argument('[snapshot]', 'only of this one: its id, or the key of an object')
    .summary('show restores of snapshots, those that run too')
    .description('Shows restores of snapshots into a database, the newest first.')
    .option('--database <name>', 'database that was restored into (default: the only one)')
    .option('--limit <n>', 'at most so many', wholeNumber(10_000), 20)
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async (id: string | undefined, flags: HistoryFlags) => {
      const { config: path, database, limit, json } = flags;
      const config = await loadConfig(configPath(path, env).value, env);
      const chosen = chosenDatabase(config, database ?? null);
      const session = { applicationName: 'thaw/history' };
      const restores = await withDatabase(chosen, env, session, async (client) => {
        await settleSnapshots({ config, flags, env, printer }, client);
        return listHistory(client, { snapshotId: id ?? null, tenantId: null, limit });
      });
      if (json === true) printer.line(JSON.stringify({ restores }));
      else for (const line of historyLines(restores)) printer.line(line);
      end(exitCodes.done);
    });
}
