import type { Command } from 'commander';
import { loadServices } from '../config/load-services.ts';
import type { DatabaseConfig, ThawConfig } from '../config/thaw-config.ts';
import type { DrillReport } from '../contract/drill.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { type DrillRecord, listDrills } from '../postgres/drill-records.ts';
import type { CommandContext } from './context.ts';
import { historyLines, trendOf } from './drill-lines.ts';
import { exitCodes } from './exit-code.ts';
import { wholeNumber, withConfig } from './flags.ts';

interface DrillsFlags {
  readonly config?: string;
  readonly limit: number;
  readonly json?: boolean;
}

const examples = `
Examples:
    thaw drills                                      the newest 20 of all services and databases
    thaw drills argus --limit 100
    thaw drills production_db/public.audit_logs
    thaw drills --json | jq '.trends'

Recovery: from the start to a verified database. Age: of the backup, at the start.`;

/** `thaw drills`: what rehearsals of restores have shown. */
export function addDrillsCommand(program: Command, context: CommandContext): void {
  withConfig(program.command('drills'))
    .argument('[subject]', 'service, database, or database/schema.table (default: all)')
    .summary('show drills that were done')
    .description('Shows drills that were done, the newest first, and what they come to.')
    .option('--limit <n>', 'at most so many', wholeNumber(100_000), 20)
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async (subject: string | undefined, { config: path, limit, json }: DrillsFlags) => {
      const { env, printer } = context;
      const config = await loadServices(path, env);
      const drills = await allDrills(config, context, subject ?? null, limit);
      if (json === true) {
        const subjects = [...new Set(drills.map((drill) => drill.subject))];
        const trends = subjects.map((each) => trendOf(each, drills));
        printer.line(JSON.stringify({ drills: drills.map(({ report }) => report), trends }));
      } else {
        for (const line of historyLines(drills)) printer.line(line);
      }
      context.end(exitCodes.done);
    });
}

/** Drills are kept in the maintenance databases of services, and in the databases of archives. */
async function allDrills(
  config: ThawConfig,
  { env, printer }: CommandContext,
  subject: string | null,
  limit: number,
): Promise<DrillRecord<DrillReport>[]> {
  const places = new Map<string, DatabaseConfig>();
  const add = (place: DatabaseConfig) => places.set(`${place.host}:${place.port}/${place.name}`, place);
  for (const { connection, maintenance } of config.services) add({ ...connection, name: maintenance });
  for (const database of config.databases) add(database);
  const found = await Promise.all(
    [...places].map(async ([name, place]) => {
      try {
        return await withDatabase(place, env, { applicationName: 'thaw/drills' }, (client) =>
          listDrills<DrillReport>(client, subject, limit),
        );
      } catch (error) {
        // What the others have is shown all the same.
        printer.aside(
          `${name} could not be asked: ${error instanceof Error ? error.message : String(error)}`,
        );
        return [];
      }
    }),
  );
  return found
    .flat()
    .toSorted((a, b) => b.startedAt.localeCompare(a.startedAt))
    .slice(0, limit);
}
