import type { Command } from 'commander';
import { newRestoreId } from '../client/restore-id.ts';
import { loadServices } from '../config/load-services.ts';
import { findService } from '../config/services.ts';
import { swapServiceBack } from '../dump/swap/swap-service-back.ts';
import { confirmByName } from './confirm.ts';
import type { CommandContext } from './context.ts';
import { exitCodes } from './exit-code.ts';
import { withConfig } from './flags.ts';

interface SwapBackFlags {
  readonly config?: string;
  readonly into?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const examples = `
Examples:
    thaw swap-back argus
    thaw swap-back argus --yes --json
`;

/** `thaw swap-back`: undoes the last swap. */
export function addSwapBackCommand(program: Command, context: CommandContext): void {
  withConfig(program.command('swap-back'))
    .argument('[service]', 'service whose database is swapped back (default: the only one)')
    .summary('make the database live again that a restore of a dump replaced')
    .description(
      'Makes the database live again that `thaw restore-dump` replaced last, while it is kept. The one that is live now is ' +
        'kept in its turn, so that the same command undoes this, too.',
    )
    .option('--into <name>', 'database of this name, where the dump was restored into it')
    .option('--yes', 'ask nothing')
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async (service: string | undefined, flags: SwapBackFlags) => {
      context.end(await runSwapBack(service ?? null, flags, context));
    });
}

async function runSwapBack(
  name: string | null,
  { config: path, into, yes, json }: SwapBackFlags,
  { env, printer }: CommandContext,
): Promise<number> {
  const service = findService(await loadServices(path, env), name);
  const { connection } = service;
  const database = into ?? connection.name;
  const loss = `${database} on ${connection.host}:${connection.port} is replaced by the one that was live before it.`;
  if (yes !== true && !(await confirmByName(database, [loss]))) {
    printer.aside('Not confirmed: nothing was done.');
    return exitCodes.failed;
  }
  const restoreId = newRestoreId();
  const done = await swapServiceBack({ service, database, restoreId }, env);
  if (json === true) printer.line(JSON.stringify({ restoreId, database, ...done }));
  else {
    printer.line(`${database} is the one again that was kept as ${done.from}.`);
    if (done.old !== null) {
      printer.line(
        `What was live is kept as ${done.old}; it is not dropped by itself. The same command undoes this.`,
      );
    }
  }
  return exitCodes.done;
}
