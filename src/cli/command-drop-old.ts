import type { Command } from 'commander';
import { newRestoreId } from '../client/restore-id.ts';
import { loadServices } from '../config/load-services.ts';
import { findService } from '../config/services.ts';
import type { ServiceConfig } from '../config/thaw-config.ts';
import { databasesBeside } from '../dump/swap/databases-beside.ts';
import { dropOld } from '../dump/swap/old-databases.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { dumpSessionPrefix } from '../postgres/database-lock.ts';
import { confirmByName } from './confirm.ts';
import type { CommandContext } from './context.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { withConfig } from './flags.ts';

interface DropOldFlags {
  readonly config?: string;
  readonly into?: string;
  readonly now?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const examples = `
Examples:
    thaw drop-old argus                  those whose --keep-old is over
    thaw drop-old argus --now --yes      all of them, without asking

\`thaw dumps\` lists them. The workers of a cluster drop each in time; without TEMPORAL_ADDRESS nobody does
between commands.`;

/** `thaw drop-old`: drops the databases that swaps have kept. */
export function addDropOldCommand(program: Command, context: CommandContext): void {
  withConfig(program.command('drop-old'))
    .argument('[service]', 'service whose old databases are dropped (default: the only one)')
    .summary('drop the old databases that restores of dumps have kept')
    .description('Drops the old databases of a service whose time is over, or all of them.')
    .option('--into <name>', 'those of the database of this name, where dumps were restored into it')
    .option('--now', 'those whose time is not over, too: they cannot be swapped back then')
    .option('--yes', 'ask nothing')
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async (name: string | undefined, flags: DropOldFlags) => {
      const service = findService(await loadServices(flags.config, context.env), name ?? null);
      context.end(await runDropOld(service, flags, context));
    });
}

async function runDropOld(
  service: ServiceConfig,
  { into, now, yes, json }: DropOldFlags,
  { env, printer }: CommandContext,
): Promise<ExitCode> {
  const database = into ?? service.connection.name;
  const { kept } = await databasesBeside(service, database, env);
  const isDue = (dropAt: string) => now === true || Date.parse(dropAt) <= Date.now();
  const chosen = kept.filter(({ record }) => isDue(record.dropAt)).map(({ name }) => name);
  const losses = [`${chosen.join(', ')}: dropped for good, with all that is in them.`];
  if (yes !== true && chosen.length > 0 && !(await confirmByName(database, losses))) {
    printer.aside('Not confirmed: nothing was done.');
    return exitCodes.failed;
  }
  const restoreId = newRestoreId();
  const session = { applicationName: `${dumpSessionPrefix(restoreId)}drop` };
  const maintenance = { ...service.connection, name: service.maintenance };
  const dropped: string[] = [];
  await withDatabase(maintenance, env, session, async (client) => {
    for (const name of chosen) {
      const end = await dropOld(client, name, restoreId, now === true ? 'now' : 'in time');
      if (end === 'dropped') dropped.push(name);
      if (json !== true)
        printer.line(
          `${name}: ${end === 'dropped' ? 'dropped' : 'not there any more, or kept for longer by now'}`,
        );
    }
  });
  const left = kept.map(({ name }) => name).filter((name) => !dropped.includes(name));
  if (json === true) printer.line(JSON.stringify({ database, dropped, kept: left }));
  else if (kept.length === 0) printer.line(`No old database of ${database} is kept.`);
  else if (left.length > 0) printer.line(`Kept: ${left.join(', ')}`);
  return exitCodes.done;
}
