import type { Command } from 'commander';
import { configPath } from '../config/environment.ts';
import { loadConfig } from '../config/load-config.ts';
import type { CommandContext } from './context.ts';
import { withConfig } from './flags.ts';
import { snapshotName } from './point-in-time-flags.ts';
import { type ChoiceFlags, readChoice, withChoice } from './snapshot-choice.ts';
import { writeSnapshotDiff } from './snapshot-diff-job.ts';

interface DiffFlags extends ChoiceFlags {
  readonly config?: string;
  readonly out: string;
}

const examples = `
Examples:
    thaw snapshot diff 20260104-052021-abc123 --out diff.jsonl
    thaw snapshot diff 20260104-052021-abc123 --table orders --where tenant_id=42 --out diff.jsonl
    thaw snapshot diff 20260104-052021-abc123 --out - | jq -c 'select(.kind == "delete") | .key'

The file is JSON, one difference a line, behind a first line that says what it is of:
    {"take":false,"kind":"update","schema":"public","table":"orders","key":{"id":"7"},"changed":["total"],"before":…,"after":…}
before is the row as it is, after the row as it is in the snapshot. Mark what is to be taken, in an editor or all of a kind:
    jq -c 'if .table == "orders" and .kind == "update" then .take = true else . end' diff.jsonl > marked.jsonl
and look at what a restore of them would do, with \`preview … --strategy selective --selection marked.jsonl\`.

It holds values of rows: nobody but its owner may read it.

Exit codes: 0 written; 1 or 3 it was not, for the reason that is told; 130 interrupted.`;

/** `thaw snapshot diff`: each difference, to be marked. */
export function addSnapshotDiffCommand(snapshot: Command, { env, printer, end }: CommandContext): void {
  withChoice(withConfig(snapshot.command('diff')), ['overwrite', 'merge'])
    .summary('write each difference between a snapshot and its tables')
    .description(
      'Writes each row that differs between a snapshot and its tables, with both values, to be marked and restored.',
    )
    .requiredOption('--out <file>', 'where to; - is standard output')
    .addHelpText('after', examples)
    .action(async (id: string | undefined, { config: path, out, ...flags }: DiffFlags) => {
      const config = await loadConfig(configPath(path, env).value, env);
      const name = await snapshotName({ env, printer }, config, id, flags);
      const choice = await readChoice(config, name, flags, env);
      end(await writeSnapshotDiff({ config, choice, env, printer, out: out === '-' ? null : out }));
    });
}
