import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { wholeNumber } from './flags.ts';

interface DevFlags {
  readonly dir: string;
  readonly port: number;
  /** false: none. */
  readonly worker: boolean;
  readonly config?: string;
}

const examples = `
Examples:
    thaw dev
    thaw dev --dir /tmp/thaw --port 9001 --no-worker
`;

/** `thaw dev`: the whole stack. */
export function addDevCommand(program: Command, { printer }: CommandContext): void {
  program
    .command('dev')
    .summary('run the whole stack: Temporal, S3, PostgreSQL, worker, API')
    .description(
      'Runs Temporal with its UI, an S3 server, PostgreSQL, a worker and the API in the foreground. When all is ' +
        'ready, their addresses stand in the file env of the folder. SIGTERM stops everything.',
    )
    .option('--dir <path>', 'folder for state', '.thaw')
    .option('--port <port>', 'port of the API; 0: any that is free', wholeNumber(65_535), 0)
    .option('--no-worker', 'without a worker')
    .option('-c, --config <path>', 'configuration (default: one that it makes in its folder)')
    .addHelpText('after', examples)
    .action(async ({ dir, port, worker, config }: DevFlags) => {
      const { runDev } = await import('../stack/run-dev.ts');
      await runDev({ folder: dir, port, worker, config: config ?? null, log: (line) => printer.line(line) });
    });
}
