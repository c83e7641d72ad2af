import type { Command } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import type { CommandContext } from './context.ts';
import { withConfig } from './flags.ts';
import { type ChoiceFlags, readChoice, withChoice } from './snapshot-choice.ts';
import { printSnapshotValidation } from './snapshot-validate-job.ts';

interface ValidateFlags extends ChoiceFlags {
  readonly config?: string;
  readonly again?: boolean;
  readonly quick?: boolean;
  readonly json?: boolean;
}

const examples = `
Examples:
    thaw snapshot validate 20260104-052021-abc123
    thaw snapshot validate 20260104-052021-abc123 --quick
    thaw snapshot validate 20260104-052021-abc123 --table orders --where tenant_id=42
    thaw snapshot validate a81c6f0e-3f1d-4c55-9a44-0b2f5a1f0c11 --json | jq -r '.issues[].issue'

Reads every file to its end, compares checksums and counts, tables and columns, and looks for rows that would break
a foreign key, in tables of the snapshot and in others. It copies the rows into a schema of its own and drops it
again; the tables are read, and nothing more. With --quick no rows are read.

Exit codes: 0 valid; 3 invalid, or not found; 1 something could not be looked at; 130 interrupted.`;

/** `thaw snapshot validate`: whether one can be restored. */
export function addSnapshotValidateCommand(snapshot: Command, { env, printer, end }: CommandContext): void {
  withChoice(withConfig(snapshot.command('validate')), ['overwrite', 'merge'])
    .summary('tell whether a snapshot can be restored')
    .description('Tells everything that keeps a snapshot from being restored, and changes nothing.')
    .option('--again', 'it may have been restored before')
    .option('--quick', 'read no rows')
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async (id: string, { config: path, again, quick, json, ...flags }: ValidateFlags) => {
      const config = await loadConfig(configPath(path, env).value, env);
      const choice = await readChoice(config, id, flags, env);
      end(
        await printSnapshotValidation({
          ...{ config, choice, env, printer },
          ...{ again: again === true, quick: quick === true, json: json === true },
        }),
      );
    });
}
