import type { Command } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import { openStore } from '../store/open-store.ts';
import { findNamedArchive } from '../validate/inventory.ts';
import type { CommandContext } from './context.ts';
import { wholeNumber, withConfig } from './flags.ts';
import { peekArchive } from './show/archive-peek.ts';
import { peekJson, peekLines } from './show/peek-text.ts';

interface ShowFlags {
  readonly config?: string;
  readonly records: number;
  readonly json?: boolean;
}

const examples = `
Values are shown as they are archived, as JSON: null is NULL, "" is an empty string.

Examples:
    thaw show archives/production_db/audit_logs/year=2026/month=01/day=04/audit_logs_20260104T052021Z_batch_001.jsonl.gz
    thaw show -n 1 --json production_db/audit_logs/year=2026/month=01/day=04/audit_logs_20260104T052021Z_batch_001.jsonl.gz`;

/** `thaw show`: what an archive is and how it begins. */
export function addShowCommand(program: Command, context: CommandContext): void {
  withConfig(program.command('show'))
    .argument('<key>', 'archive, with or without prefix')
    .summary('show metadata, schema and first records of an archive')
    .description('Shows what the metadata says of an archive, the table as it was, and the first records.')
    .option('-n, --records <n>', 'records to show', wholeNumber(10_000), 5)
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async (key: string, flags: ShowFlags) => {
      const { env, printer } = context;
      const config = await loadConfig(configPath(flags.config, env).value, env);
      const store = openStore(config.store, env);
      try {
        const archive = await findNamedArchive(store, key, config.store.prefix);
        const peek = await peekArchive(store, archive, flags.records);
        if (flags.json === true) printer.line(peekJson(peek));
        else for (const line of peekLines(peek)) printer.line(line);
      } finally {
        store.close();
      }
    });
}
