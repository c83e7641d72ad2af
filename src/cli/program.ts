import { Command } from 'commander';
import { environmentVariables } from '../config/environment.ts';
import { addApiCommand } from './command-api.ts';
import { addConfigCommand } from './command-config.ts';
import { addControlCommands } from './command-control.ts';
import { addDecideCommand } from './command-decide.ts';
import { addDevCommand } from './command-dev.ts';
import { addDrillCommand } from './command-drill.ts';
import { addDrillsCommand } from './command-drills.ts';
import { addDropOldCommand } from './command-drop-old.ts';
import { addDumpsCommand } from './command-dumps.ts';
import { addExportCommand } from './command-export.ts';
import { addListCommand } from './command-list.ts';
import { addRejectsCommand } from './command-rejects.ts';
import { addRestoreCommand } from './command-restore.ts';
import { addRestoreDumpCommand } from './command-restore-dump.ts';
import { addRestorePitrCommand } from './command-restore-pitr.ts';
import { addRestoreSystemCommand } from './command-restore-system.ts';
import { addSchemaCommand } from './command-schema.ts';
import { addServiceCommand } from './command-service.ts';
import { addShowCommand } from './command-show.ts';
import { addSnapshotCommand } from './command-snapshot.ts';
import { addStatusCommand } from './command-status.ts';
import { addSwapBackCommand } from './command-swap-back.ts';
import { addTokenCommand } from './command-token.ts';
import { addUndoCommand } from './command-undo.ts';
import { addValidateCommand } from './command-validate.ts';
import { addVerifyCommand } from './command-verify.ts';
import { addWatchCommand } from './command-watch.ts';
import { addWorkerCommand } from './command-worker.ts';
import type { CommandContext } from './context.ts';
import { ownVersion } from './version.ts';

const more = `
Examples:
    thaw list --config config.yaml
    thaw restore --config config.yaml --restore-all --database production_db --table audit_logs --dry-run
    thaw restore --config config.yaml --restore-all --database production_db --table audit_logs

Environment:
${environmentLines().join('\n')}

\`thaw help COMMAND\` tells more of each command, with examples.`;

function environmentLines(): string[] {
  return Object.entries(environmentVariables).map(([name, says]) => `  ${name.padEnd(24)}${says}`);
}

/** The command line, with every command. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('thaw')
    .description('Brings archived data back into PostgreSQL, durably.')
    .version(ownVersion())
    .showHelpAfterError('See `thaw help` or `thaw COMMAND --help`.')
    .addHelpText('after', more);
  addRestoreCommand(program, context);
  addListCommand(program, context);
  addDumpsCommand(program, context);
  addDrillCommand(program, context);
  addDrillsCommand(program, context);
  addShowCommand(program, context);
  addExportCommand(program, context);
  addValidateCommand(program, context);
  addVerifyCommand(program, context);
  addRejectsCommand(program, context);
  addUndoCommand(program, context);
  addRestoreDumpCommand(program, context);
  addSwapBackCommand(program, context);
  addDropOldCommand(program, context);
  addRestoreSystemCommand(program, context);
  addDecideCommand(program, context);
  addRestorePitrCommand(program, context);
  addSnapshotCommand(program, context);
  addStatusCommand(program, context);
  addWatchCommand(program, context);
  addControlCommands(program, context);
  addConfigCommand(program, context);
  addSchemaCommand(program, context);
  addWorkerCommand(program, context);
  addServiceCommand(program, context);
  addApiCommand(program, context);
  addTokenCommand(program, context);
  addDevCommand(program, context);
  return program;
}
