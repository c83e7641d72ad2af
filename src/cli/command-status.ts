import type { Command } from 'commander';
import {
  findRecordedRestore,
  listRecordedRestores,
  type RecordedRestores,
} from '../client/recorded-restore.ts';
import { findDatabase } from '../config/database-config.ts';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { RestoreOutcome } from '../contract/outcome.ts';
import type { RestoreProgress } from '../contract/progress.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { StoredRestore } from '../postgres/restores.ts';
import type { CommandContext } from './context.ts';
import { type TemporalFlags, withConfig, withTemporal } from './flags.ts';
import type { Printer } from './printer.ts';
import { progressLine } from './progress-line.ts';
import { recordLines, statusLines } from './status-lines.ts';
import { findTemporal, restoresOf } from './temporal.ts';

interface StatusFlags extends TemporalFlags {
  readonly config?: string;
  readonly database?: string;
  readonly json?: boolean;
}

/** Restores of each database in the list. */
const listed = 20;

const examples = `
Examples:
    thaw status --config config.yaml                          the latest restores
    thaw status 20260104-052021-abc123
    thaw status 20260104-052021-abc123 --config config.yaml --json
`;

/** `thaw status`: how a restore is, or which restores there were. */
export function addStatusCommand(program: Command, context: CommandContext): void {
  withTemporal(withConfig(program.command('status')))
    .argument('[restore]', 'id of the restore; without it the latest ones')
    .summary('tell how a restore is, or which there were')
    .description(
      'Tells how a restore is: from Temporal, or from the record in the target database. Without an id: the latest ' +
        'restores, from the target databases of the configuration.',
    )
    .option('--database <name>', 'only this database of the configuration')
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async (restoreId: string | undefined, flags: StatusFlags) => {
      if (restoreId === undefined) await list(flags, context);
      else await show(restoreId, flags, context);
    });
}

async function list(flags: StatusFlags, { env, printer }: CommandContext): Promise<void> {
  const config = await loadConfig(configPath(flags.config, env).value, env);
  const found = await listRecordedRestores(config, env, onlyDatabase(config, flags), listed);
  sayUnanswered(found, printer);
  if (flags.json === true) printer.line(JSON.stringify({ restores: found.restores }));
  else for (const line of recordLines(found.restores)) printer.line(line);
}

async function show(restoreId: string, flags: StatusFlags, context: CommandContext): Promise<void> {
  const { printer } = context;
  const inTemporal = await askTemporal(restoreId, flags, context);
  const status = inTemporal ?? (await askDatabases(restoreId, flags, context));
  if (flags.json === true) printer.line(JSON.stringify(status));
  else
    for (const line of 'seconds' in status ? statusLines(status) : runningLines(status)) printer.line(line);
}

/** What Temporal tells; null where it is not there, does not know the restore or has lost its outcome. */
async function askTemporal(
  restoreId: string,
  flags: StatusFlags,
  { env }: CommandContext,
): Promise<RestoreProgress | RestoreOutcome | null> {
  const temporal = await findTemporal(flags, env);
  if (temporal === null) return null;
  try {
    const restores = restoresOf(temporal);
    const standing = await restores.standing(restoreId);
    if (standing === 'running') return await restores.progress(restoreId);
    return standing === 'ended' ? await restores.outcome(restoreId).catch(() => null) : null;
  } finally {
    await temporal.close();
  }
}

async function askDatabases(
  restoreId: string,
  flags: StatusFlags,
  { env, printer }: CommandContext,
): Promise<RestoreOutcome | StoredRestore> {
  const unknown = (hint: string) =>
    new ThawError('InputInvalid', `no restore ${restoreId} is known`, { object: restoreId, hint });
  if (!flags.config && !env.THAW_CONFIG) {
    throw unknown('Name the configuration with --config to look in the target databases, too.');
  }
  const config = await loadConfig(configPath(flags.config, env).value, env);
  const found = await findRecordedRestore(config, env, restoreId, onlyDatabase(config, flags));
  sayUnanswered(found, printer);
  const [restore] = found.restores;
  if (restore === undefined) throw unknown('See `thaw status` without an id for the latest ones.');
  return restore.outcome ?? restore;
}

function runningLines(status: RestoreProgress | StoredRestore): string[] {
  if ('request' in status) return recordLines([status]);
  return [
    `Restore ${status.restoreId} of ${status.database}`,
    progressLine(status),
    ...status.tables.map(
      (table) => `  ${table.target}: ${table.state}, in flight: ${table.inFlight.join(', ') || 'none'}`,
    ),
  ];
}

function onlyDatabase(config: ThawConfig, flags: StatusFlags): string | null {
  return flags.database === undefined ? null : findDatabase(config, flags.database).name;
}

function sayUnanswered({ unanswered }: RecordedRestores, printer: Printer): void {
  for (const { database, error } of unanswered) {
    printer.aside(
      `${database} could not be asked: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
