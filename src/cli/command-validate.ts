import { type Command, Option } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import { type ValidationLevel, validationLevels } from '../validate/level.ts';
import type { Bound } from '../validate/period.ts';
import type { CommandContext } from './context.ts';
import { collect, type LogFlags, logSettings, withConfig, withLog, word } from './flags.ts';
import { createLogger } from './logger.ts';
import { dateOrTime } from './period-flags.ts';
import { runValidation } from './validation-job.ts';

interface ValidateFlags extends LogFlags {
  readonly config?: string;
  readonly database?: string;
  readonly table?: readonly string[];
  readonly startDate?: Bound;
  readonly endDate?: Bound;
  readonly s3Key?: string;
  readonly level: ValidationLevel;
  readonly validateChecksum: boolean;
  readonly validateRecordCount: boolean;
  readonly outputFormat: 'text' | 'json';
}

const more = `
Levels, each with what those before it do:
  listed     objects are there, and each has its partner
  metadata   metadata can be read, has checksums and count, and knows the size of its object
  checksums  every archive is read to its end; both SHA-256 and the record count agree
  rows       every line is a record; its keys are those of the deletion manifest, where there is one
  types      PostgreSQL takes every value as the type of its column (in a transaction that is rolled back)

Examples:
  Everything in the store:
    thaw validate --config config.yaml
  What was archived in January, as JSON:
    thaw validate --config config.yaml --database production_db --table audit_logs \\
      --start-date 2026-01-01 --end-date 2026-01-31 --output-format json
  Whether one archive could be restored, value for value:
    thaw validate --config config.yaml --level types --s3-key archives/production_db/audit_logs/year=2026/month=01/day=04/audit_logs_20260104T052021Z_batch_001.jsonl.gz

Exit codes: 0 valid, or nothing to look at; 1 invalid, or it could not be looked at; 130 interrupted.`;

/** `thaw validate`: whether archives are what was archived. */
export function addValidateCommand(program: Command, context: CommandContext): void {
  const command = withConfig(program.command('validate'))
    .summary('tell whether archives are what was archived')
    .description('Compares archives with their metadata, and changes nothing.')
    .option('--database <name>', 'only this database, as configured')
    .option('--table <name>', 'only this table, as archived; repeatable', collect)
    .option('--start-date <date>', 'archived on this day or at this time (UTC) or later', dateOrTime)
    .option('--end-date <date>', 'archived on this day or at this time (UTC) or earlier', dateOrTime)
    .option('--s3-key <key>', 'only this archive, with or without prefix')
    .addOption(
      new Option('--level <level>', `how much is looked at: ${validationLevels.join(', ')}`)
        .argParser(word(validationLevels))
        .default('checksums' satisfies ValidationLevel),
    )
    .option('--no-validate-checksum', 'compare no checksums')
    .option('--no-validate-record-count', 'compare no record counts')
    .addOption(
      new Option('--output-format <format>', 'text or json')
        .argParser(word(['text', 'json']))
        .default('text'),
    )
    .addHelpText('after', more);
  withLog(command, 'warning').action(async (flags: ValidateFlags) => {
    const { env, printer } = context;
    const config = await loadConfig(configPath(flags.config, env).value, env);
    const logger = createLogger(logSettings(flags, 'warning'), printer, true);
    const exitCode = await runValidation({
      ...{ config, env, printer, logger },
      input: {
        database: flags.database ?? null,
        tables: flags.table ?? null,
        period: { from: flags.startDate ?? null, to: flags.endDate ?? null },
        key: flags.s3Key ?? null,
      },
      options: {
        level: flags.level,
        checksums: flags.validateChecksum,
        recordCounts: flags.validateRecordCount,
      },
      json: flags.outputFormat === 'json',
    });
    context.end(exitCode);
  });
}
