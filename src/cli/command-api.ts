import type { Command } from 'commander';
import { openTemporal } from '../client/temporal-connection.ts';
import { loadServices } from '../config/load-services.ts';
import type { CommandContext } from './context.ts';
import {
  type LogFlags,
  logSettings,
  type TemporalFlags,
  wholeNumber,
  withConfig,
  withLog,
  withTemporal,
} from './flags.ts';
import { Interrupt } from './interrupt.ts';
import { createLogger } from './logger.ts';
import { clusterTaskQueue, servicePlace } from './temporal.ts';

interface ApiFlags extends TemporalFlags, LogFlags {
  readonly config?: string;
  readonly host: string;
  readonly port: number;
  readonly taskQueue?: string;
}

const examples = `
Examples:
    thaw api --config config.yaml
    thaw api --config config.yaml --host 0.0.0.0 --port 8080 --log-format json
`;

/** `thaw api`: the HTTP API. */
export function addApiCommand(program: Command, context: CommandContext): void {
  const command = withTemporal(withConfig(program.command('api')));
  withLog(command, 'info')
    .summary('serve the HTTP API')
    .description(
      'Serves the HTTP API until SIGTERM. Tokens are checked with THAW_JWT_SECRET (HS256) or with the public keys of ' +
        'THAW_JWKS (https URL or file; RS256, ES256, EdDSA), and by THAW_JWT_ISSUER and THAW_JWT_AUDIENCE. ' +
        '`thaw token` makes one with the secret. THAW_DATABASE_URL is the PostgreSQL where saved restores, runs and ' +
        'logs are kept, in the schema thaw_api.',
    )
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0: any that is free', wholeNumber(65_535), 9001)
    .option('--task-queue <name>', 'task queue of the workers (THAW_TASK_QUEUE, default: thaw)')
    .addHelpText('after', examples)
    .action((flags: ApiFlags) => serve(flags, context));
}

async function serve(flags: ApiFlags, { env, printer }: CommandContext): Promise<void> {
  const { startApi } = await import('../api/server.ts');
  const config = await loadServices(flags.config, env);
  const interrupt = new Interrupt();
  const { address, namespace } = servicePlace(flags, env);
  const temporal = openTemporal({ ...env, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace });
  try {
    const api = await startApi({
      config,
      env,
      host: flags.host,
      port: flags.port,
      temporal,
      taskQueue: clusterTaskQueue(flags.taskQueue, env),
      logger: createLogger(logSettings(flags, 'info'), printer),
      onListening: (url) => printer.line(`thaw api: listening on ${url}`),
    });
    await interrupt.asked();
    await api.close();
  } finally {
    interrupt.release();
    await temporal.connection.close();
  }
}
