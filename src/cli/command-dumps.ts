import type { Command } from 'commander';
import { loadServices } from '../config/load-services.ts';
import { findService } from '../config/services.ts';
import { beforeTime } from './before-time.ts';
import type { CommandContext } from './context.ts';
import { printDumps } from './dumps-job.ts';
import { wholeNumber, withConfig } from './flags.ts';

interface DumpsFlags {
  readonly config?: string;
  readonly limit: number;
  /** ISO 8601. */
  readonly before?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
    thaw dumps argus                                    the newest 20 of a service
    thaw dumps argus --before 2026-01-04 --limit 5      those of 4 January and before
    thaw dumps --json | jq -r '.dumps[0].key'           key of the newest of the only service

Services are those of config.yaml (services, and every one of databases), of ARGUS_DB_HOST, ARGUS_DB_PASSWORD and
the like with BACKUP_DIR, and of RESTORE_DATABASE_URL with AWS_S3_BUCKET; a .env file is read, too.

The first is what --latest restores: the newest by the time in its name, those without one last. Formats are told
by content. verified: restored before, and found to be what it says; proved: read to its end, and whole.`;

/** `thaw dumps`: what dumps of a service there are. */
export function addDumpsCommand(program: Command, context: CommandContext): void {
  withConfig(program.command('dumps'))
    .argument('[service]', 'service whose dumps are listed (default: the only one)')
    .summary('list the dumps of a service')
    .description('Lists the dumps of a service, the newest first.')
    .option('--limit <n>', 'at most so many; 0: all', wholeNumber(1_000_000), 20)
    .option(
      '--before <time>',
      'not later than this; a day alone is included, without zone it is local time',
      beforeTime,
    )
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async (name: string | undefined, { config: path, limit, before, json }: DumpsFlags) => {
      const { env, printer } = context;
      const service = findService(await loadServices(path, env), name ?? null);
      context.end(
        await printDumps({
          ...{ service, env, printer },
          limit: limit === 0 ? null : limit,
          before: before ?? null,
          json: json === true,
        }),
      );
    });
}
