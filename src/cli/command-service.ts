import type { Command } from 'commander';
import { withDotenv } from '../config/dotenv.ts';
import { readService } from '../dump/service/service-environment.ts';
import { type ServiceVariable, serviceVariables } from '../dump/service/service-variables.ts';
import type { CommandContext } from './context.ts';
import { type LogFlags, logSettings, type TemporalFlags, withLog, withTemporal } from './flags.ts';
import { Interrupt } from './interrupt.ts';
import { createLogger } from './logger.ts';
import { runService } from './service-job.ts';

interface ServiceFlags extends TemporalFlags, LogFlags {}

const head = `
Examples:
  A dump of a database to S3 every morning at five:
    BACKUP_DATABASE_URL=postgres://app@db/shop AWS_S3_BUCKET=dumps AWS_S3_REGION=eu-central-1 thaw service
  The latest dump into a database, once:
    MODE=restore RESTORE_SINGLE_SHOT_MODE=true RESTORE_DATABASE_URL=postgres://app@db/shop thaw service

Variables, * where they have to be set:
`;

const tail = `
Without TEMPORAL_ADDRESS the service runs its own Temporal server, with its state in THAW_STATE_DIR: keep that folder,
and a restore that was cut off goes on when the service is started again.

Exit codes: 0 done, or stopped by SIGTERM; 1 could not start, or failed; 3 the dump is not good, or what was loaded
is not what it says; 130 stopped before its one dump or restore was done.`;

/** `thaw service`: what a container runs that makes dumps, or restores them, by environment variables alone. */
export function addServiceCommand(program: Command, context: CommandContext): void {
  const command = withTemporal(program.command('service'));
  withLog(command, 'info', 'standard output')
    .summary('make or restore dumps as a service that environment variables configure')
    .description(
      'Dumps a database to S3 (MODE=backup) or restores dumps from there (MODE=restore), at the start, once or on ' +
        'a schedule. Everything is configured by environment variables, and a .env file. The log goes to standard output.',
    )
    .addHelpText('after', `${head}${serviceVariables.map(lineOf).join('\n')}\n${tail}`)
    .action(async (flags: ServiceFlags) => {
      const { printer } = context;
      const env = await withDotenv(context.env);
      const settings = readService(env);
      // Whoever runs containers looks for their log there.
      const toOutput = { ...printer, log: (text: string) => printer.line(text.replace(/\n$/, '')) };
      const logger = createLogger(logSettings(flags, 'info'), toOutput);
      const interrupt = new Interrupt();
      try {
        context.end(await runService({ settings, flags, env, logger }, interrupt.signal));
      } finally {
        interrupt.release();
      }
    });
}

function lineOf({ name, alias, mode, fallback, says }: ServiceVariable): string {
  const mark = fallback === null ? '*' : ' ';
  const more = [
    ...(mode === null ? [] : [`MODE=${mode}`]),
    ...(alias === undefined ? [] : [`also ${alias}`]),
    ...(fallback ? [`default: ${fallback}`] : []),
  ];
  return `  ${name.padEnd(26)}${mark} ${says}${more.length === 0 ? '' : ` (${more.join('; ')})`}`;
}
