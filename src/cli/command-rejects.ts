import { type Command, Option } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import { type UnrestorableChoice, unrestorableChoices } from '../contract/restore-request.ts';
import type { CommandContext } from './context.ts';
import { collect, withConfig, word } from './flags.ts';
import { exportRejects, listRejectedRows } from './rejects-job.ts';
import { runRetry } from './retry-job.ts';

interface RejectsFlags {
  readonly config?: string;
  readonly database?: string;
  readonly table?: readonly string[];
  readonly json?: boolean;
  readonly output?: string;
  readonly unrestorable?: UnrestorableChoice;
}

const overall = `
A restore with --max-rejects keeps the rows that it left out in thaw.rejected_rows of the target database.

Examples:
    thaw rejects list --config config.yaml
    thaw rejects export 20260104-052021-abc123 --output rejected.jsonl
    thaw rejects retry 20260104-052021-abc123`;

const ofList = `
Examples:
    thaw rejects list --config config.yaml
    thaw rejects list 20260104-052021-abc123 --table orders --json`;

const ofExport = `
This prints row content: the lines as they were archived, in archive order, those that went in since not among them.

Examples:
    thaw rejects export 20260104-052021-abc123 | jq .id
    thaw rejects export 20260104-052021-abc123 --table orders --output orders.jsonl`;

const ofRetry = `
Alter the table first, or bring the rows that the rejected ones refer to. What goes in is no longer kept; all else
stays, with its newest reason. Rows come after everything that is in the table by now: with overwrite they replace
rows of the same key, also those of later archives.

Examples:
    thaw rejects retry 20260104-052021-abc123
    thaw rejects retry 20260104-052021-abc123 --table orders --unrestorable null

Exit codes: 0 nothing remains; 2 some rows were refused again; 1 it could not start or failed (a restore works on
the table); 130 interrupted: what went in stays, and the same command goes on.`;

/** `thaw rejects`: the rows that restores left out. */
export function addRejectsCommand(program: Command, context: CommandContext): void {
  const rejects = program
    .command('rejects')
    .summary('list, export or retry the rows that restores left out')
    .description('Shows the rows that PostgreSQL did not accept, and loads them once more.')
    .addHelpText('after', overall);
  withScope(rejects.command('list'))
    .argument('[restore]', 'id of the restore; without it, all')
    .summary('tell how many rows are kept of which archives, and why')
    .description('Counts the kept rows by restore, table, archive and reason. Prints no row.')
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', ofList)
    .action(async (restoreId: string | undefined, flags: RejectsFlags) => {
      const scope = await scopeOf(context, flags);
      await listRejectedRows({ ...scope, restoreId: restoreId ?? null, json: flags.json === true });
    });
  withScope(rejects.command('export'))
    .argument('<restore>', 'id of the restore')
    .summary('write the kept rows as JSON lines')
    .description('Writes the kept rows of a restore as they were archived.')
    .option('-o, --output <file>', 'file to write; without it, standard output')
    .addHelpText('after', ofExport)
    .action(async (restoreId: string, flags: RejectsFlags) => {
      const scope = await scopeOf(context, flags);
      context.end(await exportRejects({ ...scope, restoreId, output: flags.output ?? null }));
    });
  withScope(rejects.command('retry'))
    .argument('<restore>', 'id of the restore')
    .summary('load the kept rows once more')
    .description('Loads the kept rows of a restore as the restore did, now that the table takes them.')
    .addOption(
      new Option(
        '--unrestorable <choice>',
        'values that the archiver destroyed (default: as the restore)',
      ).argParser(word(unrestorableChoices)),
    )
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', ofRetry)
    .action(async (restoreId: string, flags: RejectsFlags) => {
      const scope = await scopeOf(context, flags);
      const { unrestorable } = flags;
      const changes = unrestorable === undefined ? {} : { unrestorable };
      context.end(await runRetry({ ...scope, restoreId, changes, json: flags.json === true }));
    });
}

function withScope(command: Command): Command {
  return withConfig(command)
    .option('--database <name>', 'only look in this database of the configuration')
    .option('--table <name>', 'only this table; repeatable', collect);
}

async function scopeOf({ env, printer }: CommandContext, flags: RejectsFlags) {
  const config = await loadConfig(configPath(flags.config, env).value, env);
  return { config, env, printer, database: flags.database ?? null, tables: flags.table ?? null };
}
