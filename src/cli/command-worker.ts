import type { Command } from 'commander';
import { loadServices } from '../config/load-services.ts';
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
import { Interrupt } from './interrupt.ts';
import { createLogger } from './logger.ts';
import { clusterTaskQueue, servicePlace } from './temporal.ts';

interface WorkerFlags extends TemporalFlags, LogFlags {
  readonly config?: string;
  readonly system?: string;
  readonly taskQueue?: string;
}

const examples = `
Examples:
    thaw worker --config config.yaml
    thaw worker --config config.yaml --temporal-address temporal.example.org:7233 --task-queue archives
`;

/** `thaw worker`: does the work of restores in a cluster. */
export function addWorkerCommand(program: Command, context: CommandContext): void {
  const command = withTemporal(withSystem(withConfig(program.command('worker'))));
  withLog(command, 'info')
    .summary('run a worker for a Temporal cluster')
    .description(
      'Runs a worker until SIGTERM; loads in flight get 20 s to end and are done again elsewhere. ' +
        'Any number of workers may run, on any number of machines.',
    )
    .option('--task-queue <name>', 'task queue to take work from (THAW_TASK_QUEUE, default: thaw)')
    .addHelpText('after', examples)
    .action(async (flags: WorkerFlags) => {
      const { env, printer } = context;
      const { runWorker } = await import('../worker.ts');
      const config = await loadServices(flags.config, env);
      const place = servicePlace(flags, env);
      const taskQueue = clusterTaskQueue(flags.taskQueue, env);
      const interrupt = new Interrupt();
      try {
        await runWorker({
          config: flags.system === undefined ? config : { ...config, systemFile: flags.system },
          env,
          connection: place.options,
          namespace: place.namespace,
          taskQueue,
          logger: createLogger(logSettings(flags, 'info'), printer),
          onReady: () => printer.line(`thaw worker: ready on ${place.address}, task queue ${taskQueue}`),
          signal: interrupt.signal,
        });
      } finally {
        interrupt.release();
      }
    });
}
