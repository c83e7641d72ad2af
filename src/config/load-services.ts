import { ThawError } from '../contract/thaw-error.ts';
import { withDotenv } from './dotenv.ts';
import { configPath } from './environment.ts';
import { environmentServices } from './environment-services.ts';
import { loadConfig } from './load-config.ts';
import { storeOfServices, strongestFirst } from './services.ts';
import type { ThawConfig } from './thaw-config.ts';

/**
 * The configuration of what restores dumps: the file of `--config` or `THAW_CONFIG`, where one is named, and the
 * services of the environment and its `.env` file. Strongest first: `services` of the file, `{NAME}_DB_…`,
 * `RESTORE_DATABASE_URL`, `databases` of the file.
 *
 * @param flag what `--config` says
 * @throws ThawError `ConfigInvalid` with a line for each thing wrong, or where there is neither file nor service
 */
export async function loadServices(flag: string | undefined, env: NodeJS.ProcessEnv): Promise<ThawConfig> {
  const told = environmentServices(await withDotenv(env));
  if (told.faults.length > 0) {
    throw new ThawError('ConfigInvalid', told.faults.join('\n'), {
      object: told.faults[0]?.split(':')[0] ?? 'environment',
      hint: 'Correct the environment, or the .env file of this folder or the one above.',
    });
  }
  if (!flag && !env.THAW_CONFIG) return environmentConfig(told.services);
  const config = await loadConfig(configPath(flag, env).value, env);
  const named = config.services.filter(({ connection }) => !config.databases.includes(connection));
  return { ...config, services: strongestFirst(named, told.services, config.services) };
}

/**
 * The same for what names its places itself: where neither a file nor the environment says anything, nothing is
 * configured.
 *
 * @param flag what `--config` says
 * @throws ThawError `ConfigInvalid` with a line for each thing wrong
 */
export async function loadForPlaces(flag: string | undefined, env: NodeJS.ProcessEnv): Promise<ThawConfig> {
  const isNamed = Boolean(flag || env.THAW_CONFIG);
  const isEmpty = !isNamed && environmentServices(await withDotenv(env)).services.length === 0;
  return isEmpty ? configOf([]) : loadServices(flag, env);
}

/**
 * A configuration of services alone: no archives are configured then, and whoever asks for some is told so.
 *
 * @throws ThawError `ConfigInvalid` where there are none
 */
export function environmentConfig(services: ThawConfig['services']): ThawConfig {
  if (services.length === 0) {
    throw new ThawError(
      'ConfigInvalid',
      'no configuration file is named, and the environment has no service',
      {
        object: 'THAW_CONFIG',
        hint: 'Name a file with --config PATH or in THAW_CONFIG, or set NAME_DB_HOST and the like, or RESTORE_DATABASE_URL.',
      },
    );
  }
  return configOf(services);
}

function configOf(services: ThawConfig['services']): ThawConfig {
  return {
    path: 'the environment',
    store: storeOfServices(services),
    databases: [],
    services: strongestFirst(services),
    restoreWatermark: { enabled: true, storageType: 's3', updateAfterEachArchive: true },
    auditTrail: 's3',
  };
}
