import { type Command, Option } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import { type ExportFormat, exportFormats } from '../export/row-writer.ts';
import type { Bound } from '../validate/period.ts';
import type { CommandContext } from './context.ts';
import { runExport } from './export-job.ts';
import { collect, withConfig, word } from './flags.ts';
import { dateOrTime } from './period-flags.ts';

interface ExportFlags {
  readonly config?: string;
  readonly database?: string;
  readonly table?: readonly string[];
  readonly schema?: string;
  readonly startDate?: Bound;
  readonly endDate?: Bound;
  readonly format: ExportFormat;
  readonly without?: readonly string[];
  readonly output?: string;
}

const more = `
Formats:
  jsonl  records as archived, byte for byte
  csv    with a header; NULL is an empty field, an empty string is ""
  copy   the text format of COPY; NULL is \\N
csv and copy hold each value as PostgreSQL reads it, by the archived schema: bytea, bit strings, ranges and
json too. A type that the archive does not tell (an enum, a composite, one of an extension) is text as archived.

Into a table, with psql (the export names the columns):
  \\copy audit_logs (id, user_id, …) from 'audit_logs.csv' with (format csv, header)
  \\copy audit_logs (id, user_id, …) from 'audit_logs.copy'

COPY refuses generated columns, and the archive does not tell which they are: leave them out with --without.

Examples:
    thaw export archives/production_db/audit_logs/year=2026/month=01/day=04/audit_logs_20260104T052021Z_batch_001.jsonl.gz | head
    thaw export --database production_db --table audit_logs --start-date 2026-01-01 --format csv --output audit_logs.csv

Checksums and record counts are compared at the end of each archive: use what was written only when the exit
code is 0. A file has its name only then.`;

/** `thaw export`: rows of archives as a file for other tools. */
export function addExportCommand(program: Command, context: CommandContext): void {
  withConfig(program.command('export'))
    .argument('[keys...]', 'archives, with or without prefix; without them, those of a table')
    .summary('write the rows of archives for other tools')
    .description("Writes the rows of archives, verified and without the archiver's own columns.")
    .option('--database <name>', 'database, as configured')
    .option('--table <name>', 'table, as archived', collect)
    .option('--schema <name>', 'that it was archived from, where several share its folder')
    .option('--start-date <date>', 'archived on this day or at this time (UTC) or later', dateOrTime)
    .option('--end-date <date>', 'archived on this day or at this time (UTC) or earlier', dateOrTime)
    .addOption(
      new Option('--format <format>', exportFormats.join(', '))
        .argParser(word(exportFormats))
        .default('jsonl' satisfies ExportFormat),
    )
    .option('--without <column>', 'leave a column out, such as a generated one; repeatable', collect)
    .option('-o, --output <file>', 'file to write; without it, standard output')
    .addHelpText('after', more)
    .action(async (keys: string[], flags: ExportFlags) => {
      const { env, printer } = context;
      const config = await loadConfig(configPath(flags.config, env).value, env);
      const exitCode = await runExport({
        ...{ config, env, printer, keys },
        database: flags.database ?? null,
        tables: flags.table ?? [],
        schema: flags.schema ?? null,
        period: { from: flags.startDate ?? null, to: flags.endDate ?? null },
        format: flags.format,
        left: flags.without ?? [],
        output: flags.output ?? null,
      });
      context.end(exitCode);
    });
}
