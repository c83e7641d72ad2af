import { Command } from 'commander';
import { addApiCommand } from './command-api.ts';
import { addConfigCommand } from './command-config.ts';
import { addControlCommands } from './command-control.ts';
import { addDevCommand } from './command-dev.ts';
import { addExportCommand } from './command-export.ts';
import { addListCommand } from './command-list.ts';
import { addRestoreCommand } from './command-restore.ts';
import { addSchemaCommand } from './command-schema.ts';
import { addShowCommand } from './command-show.ts';
import { addStatusCommand } from './command-status.ts';
import { addTokenCommand } from './command-token.ts';
import { addValidateCommand } from './command-validate.ts';
import { addVerifyCommand } from './command-verify.ts';
import { addWatchCommand } from './command-watch.ts';
import { addWorkerCommand } from './command-worker.ts';
import type { CommandContext } from './context.ts';
import { ownVersion } from './version.ts';

const environment = `
Environment: THAW_CONFIG, TEMPORAL_ADDRESS (without it, \`thaw restore\` runs its own Temporal server),
TEMPORAL_NAMESPACE, TEMPORAL_API_KEY and the other variables of Temporal's own tools, THAW_TASK_QUEUE,
THAW_STATE_DIR, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL_S3.

\`thaw help COMMAND\` tells more of each.`;

/** The command line, with every command. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('thaw')
    .description('Brings archived data back into PostgreSQL, durably.')
    .version(ownVersion())
    .showHelpAfterError('See `thaw help` or `thaw COMMAND --help`.')
    .addHelpText('after', environment);
  addRestoreCommand(program, context);
  addListCommand(program, context);
  addShowCommand(program, context);
  addExportCommand(program, context);
  addValidateCommand(program, context);
  addVerifyCommand(program, context);
  addStatusCommand(program, context);
  addWatchCommand(program, context);
  addControlCommands(program, context);
  addConfigCommand(program, context);
  addSchemaCommand(program, context);
  addWorkerCommand(program, context);
  addApiCommand(program, context);
  addTokenCommand(program, context);
  addDevCommand(program, context);
  return program;
}
