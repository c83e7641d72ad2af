import type { Command } from 'commander';
import { listRecordedDrills } from '../client/recorded-drills.ts';
import { loadServices } from '../config/load-services.ts';
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
      const { drills, unanswered } = await listRecordedDrills(config, env, subject ?? null, limit);
      for (const { database, error } of unanswered) {
        printer.aside(
          `${database} could not be asked: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
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
