import { type Command, Option } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import type { CommandContext } from './context.ts';
import { wholeNumber, withConfig } from './flags.ts';
import { snapshotName } from './point-in-time-flags.ts';
import { type ChoiceFlags, readChoice, withChoice } from './snapshot-choice.ts';
import { printSnapshotPreview } from './snapshot-preview-job.ts';

interface PreviewFlags extends ChoiceFlags {
  readonly config?: string;
  readonly samples: number;
  readonly values?: boolean;
  readonly json?: boolean;
}

const examples = `
Examples:
    thaw snapshot preview 20260104-052021-abc123
    thaw snapshot preview 20260104-052021-abc123 --table orders --values --samples 20
    thaw snapshot preview 20260104-052021-abc123 --strategy merge --newer-by updated_at
    thaw snapshot preview 20260104-052021-abc123 --strategy selective --selection diff.jsonl
    thaw snapshot preview --to 2026-01-31T12:00:00Z --table orders
    thaw snapshot preview 20260104-052021-abc123 --json | jq -r .ifUnchanged

Tells to the row what a restore would insert, update and delete, and what it would lock. It copies the snapshot into
a schema of its own, compares, and drops it again; the tables are read, and nothing more.

Exit codes: 0 told; 1 or 3 the restore could not begin, for the reason that is told; 130 interrupted.`;

/** `thaw snapshot preview`: what a restore would do. */
export function addSnapshotPreviewCommand(snapshot: Command, { env, printer, end }: CommandContext): void {
  withPreview(withChoice(withConfig(snapshot.command('preview'))))
    .summary('tell what a restore of a snapshot would do')
    .description('Tells what a restore of a snapshot would do to each table, and changes nothing.')
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(
      async (id: string | undefined, { config: path, samples, values, json, ...flags }: PreviewFlags) => {
        const config = await loadConfig(configPath(path, env).value, env);
        const name = await snapshotName({ env, printer }, config, id, flags);
        const choice = await readChoice(config, name, flags, env);
        end(
          await printSnapshotPreview({
            ...{ config, choice, env, printer, samples },
            ...{ values: values === true, json: json === true },
          }),
        );
      },
    );
}

/** Adds the flags that say what a preview shows. */
export function withPreview(command: Command): Command {
  return command
    .addOption(
      new Option('--samples <n>', 'rows of each kind to show of each table')
        .argParser(wholeNumber(1_000))
        .default(5),
    )
    .option('--values', 'show the values of these rows as well, not only their keys');
}
