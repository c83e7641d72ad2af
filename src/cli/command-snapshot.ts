import type { Command } from 'commander';
import { addSnapshotOrderCommand } from './command-snapshot-order.ts';
import type { CommandContext } from './context.ts';

const examples = `
Examples:
    thaw snapshot order --schema sales        in which order tables are restored
`;

/** `thaw snapshot …`: many tables at one moment. */
export function addSnapshotCommand(program: Command, context: CommandContext): void {
  const snapshot = program
    .command('snapshot')
    .summary('snapshots of tables, all of one moment')
    .description('Works with snapshots: many tables, all of one moment.')
    .addHelpText('after', examples);
  addSnapshotOrderCommand(snapshot, context);
}
