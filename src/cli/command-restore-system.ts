import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseSeconds } from '../config/duration.ts';
import { loadServices } from '../config/load-services.ts';
import { beforeTime } from './before-time.ts';
import type { CommandContext } from './context.ts';
import {
  type LogFlags,
  logSettings,
  type TemporalFlags,
  withConfig,
  withLog,
  withSystem,
  withTemporal,
} from './flags.ts';
import { createLogger } from './logger.ts';
import { runSystemJob } from './system-job.ts';

/** The flags of `thaw restore-system`. */
export interface SystemFlags extends TemporalFlags, LogFlags {
  readonly config?: string;
  readonly system?: string;
  /** ISO 8601. */
  readonly before?: string;
  /** Seconds. */
  readonly wait?: number;
  readonly startServices?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly detach?: boolean;
  readonly taskQueue?: string;
}

const examples = `
Examples:
    thaw restore-system
    thaw restore-system opareta --system /opt/opareta/system.yaml
  The newest dumps that are not later than a time, without asking:
    thaw restore-system opareta --before 2023-12-01T02:30 --yes
  A step that fails waits for \`thaw decide\`:
    thaw restore-system opareta --wait 30m
  After a restore that was terminated, or whose Temporal is gone, on the machine of its worker:
    thaw restore-system opareta --start-services

system.yaml names databases, their dumps and order, what stops and starts the services, health checks, objectives.
All dumps are proved before a service is stopped; all databases are swapped, or none. Until the services are started
again a failure or a cancel leaves every database as it was, and starts the services on them.

Exit codes: 0 restored, or accepted with --detach; 1 could not start, or failed; 3 a dump is not good, or what was
loaded is not what it says; 130 interrupted or cancelled.`;

/** `thaw restore-system`: restores all databases of a system, or none. */
export function addRestoreSystemCommand(program: Command, context: CommandContext): void {
  const command = withSystem(withConfig(program.command('restore-system')))
    .argument('[name]', 'system of system.yaml (default: the only one)')
    .summary('restore all databases of a system from their dumps, or none')
    .description('Restores all databases of a system from their dumps, with the services stopped meanwhile.')
    .option(
      '--before <time>',
      'the newest dumps that are not later; without zone it is local time',
      beforeTime,
    )
    .option('--wait <time>', 'how long a failed step waits for `thaw decide`, such as 30m', waitTime)
    .addOption(
      new Option(
        '--start-services',
        'restore nothing: run what starts the services, and ask whether they are well',
      ).conflicts(['before', 'wait', 'detach', 'taskQueue']),
    )
    .option('--yes', 'take the checklist as done, and ask nothing')
    .option('--json', 'print one JSON object and nothing else')
    .option('--detach', 'start it in the cluster and do not wait for its end')
    .option('--task-queue <name>', 'task queue of the workers (THAW_TASK_QUEUE, default: thaw)');
  withLog(withTemporal(command), 'warning')
    .addHelpText('after', examples)
    .action(async (name: string | undefined, flags: SystemFlags) => {
      const { env, printer } = context;
      const config = await loadServices(flags.config, env);
      const named = flags.system === undefined ? config : { ...config, systemFile: flags.system };
      const logger = createLogger(logSettings(flags, 'warning'), printer, true);
      context.end(await runSystemJob({ config: named, name: name ?? null, flags, env, printer, logger }));
    });
}

function waitTime(text: string): number {
  const seconds = text === '0' ? 0 : parseSeconds(text);
  if (seconds !== null) return seconds;
  throw new InvalidArgumentError('It must be a time such as 90s, 30m or 2h, or 0.');
}
