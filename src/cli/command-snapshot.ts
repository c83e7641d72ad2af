import type { Command } from 'commander';
import { addSnapshotCreateCommand } from './command-snapshot-create.ts';
import { addSnapshotDiffCommand } from './command-snapshot-diff.ts';
import { addSnapshotHistoryCommand } from './command-snapshot-history.ts';
import { addSnapshotOrderCommand } from './command-snapshot-order.ts';
import { addSnapshotPreviewCommand } from './command-snapshot-preview.ts';
import { addSnapshotRestoreCommand } from './command-snapshot-restore.ts';
import { addStoredSnapshotCommands } from './command-snapshot-stored.ts';
import { addSnapshotValidateCommand } from './command-snapshot-validate.ts';
import type { CommandContext } from './context.ts';

const examples = `
Examples:
    thaw snapshot create --schema sales       takes one
    thaw snapshot list                        those that were taken
    thaw snapshot validate 20260104-052021-abc123   whether it can be restored
    thaw snapshot preview 20260104-052021-abc123    what a restore of one would do
    thaw snapshot restore 20260104-052021-abc123    brings its tables back
    thaw snapshot order --schema sales        in which order tables are restored
`;

/** `thaw snapshot …`: many tables at one moment. */
export function addSnapshotCommand(program: Command, context: CommandContext): void {
  const snapshot = program
    .command('snapshot')
    .summary('snapshots of tables, all of one moment')
    .description('Works with snapshots: many tables, all of one moment.')
    .addHelpText('after', examples);
  addSnapshotCreateCommand(snapshot, context);
  addStoredSnapshotCommands(snapshot, context);
  addSnapshotValidateCommand(snapshot, context);
  addSnapshotPreviewCommand(snapshot, context);
  addSnapshotDiffCommand(snapshot, context);
  addSnapshotHistoryCommand(snapshot, context);
  addSnapshotRestoreCommand(snapshot, context);
  addSnapshotOrderCommand(snapshot, context);
}
