import { Connection, type ConnectionOptions } from '@temporalio/client';
import { type ClientConnectConfig, loadClientConnectConfig } from '@temporalio/envconfig';
import { ThawError } from '../contract/thaw-error.ts';

/** A connection to Temporal, and the namespace to use there. */
export interface TemporalConnection {
  readonly connection: Connection;
  readonly namespace: string;
}

/**
 * Opens a connection as the environment says, and the configuration file of Temporal's own tools
 * (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS_…`, profiles). Nothing is
 * sent before the first call: await `connection.ensureConnected()` to know at once whether it answers.
 *
 * @throws ThawError `ConfigInvalid` when they cannot be used
 */
export function openTemporal(env: NodeJS.ProcessEnv): TemporalConnection {
  const { connectionOptions, namespace } = temporalSettings(env);
  return {
    // The options of native connections are those of this one as far as envconfig sets them.
    connection: Connection.lazy(connectionOptions as ConnectionOptions),
    namespace: namespace ?? 'default',
  };
}

/**
 * Address, TLS and API key as the environment says: for workers, whose connections are made elsewhere.
 *
 * @throws ThawError `ConfigInvalid` when they cannot be used
 */
export function temporalSettings(env: NodeJS.ProcessEnv): ClientConnectConfig {
  const variables = Object.entries(env).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, value] as const],
  );
  try {
    return loadClientConnectConfig({ overrideEnvVars: Object.fromEntries(variables) });
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unreadable';
    throw new ThawError('ConfigInvalid', `the connection to Temporal is not configured rightly: ${reason}`, {
      object: 'TEMPORAL_ADDRESS',
      hint: 'Correct the TEMPORAL_… variables, or the file that TEMPORAL_CONFIG_FILE names.',
      cause: error,
    });
  }
}
