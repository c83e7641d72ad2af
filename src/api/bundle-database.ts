import { fieldError } from '../client/restore-input.ts';
import { onlyDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';

/**
 * Gives the database that a bundle or an extract is for: the one that it names, or the one meant where it names none.
 *
 * @throws ThawError `InputInvalid` when that is not configured, or none is named and it is not known which is meant
 */
export type BundleDatabase = (named: unknown) => string;

/**
 * Where bundles and extracts name no database, `THAW_BUNDLE_DATABASE` is meant, else the only one configured.
 *
 * @throws ThawError `ConfigInvalid` when the variable names one that is not configured
 */
export function bundleDatabase(config: ThawConfig, env: NodeJS.ProcessEnv): BundleDatabase {
  const names = config.databases.map(({ name }) => name);
  const meant = env.THAW_BUNDLE_DATABASE || onlyDatabase(config)?.name;
  if (meant !== undefined && !names.includes(meant)) {
    throw new ThawError('ConfigInvalid', `THAW_BUNDLE_DATABASE: "${meant}" is not in the configuration`, {
      object: 'THAW_BUNDLE_DATABASE',
      hint: `Name one of ${names.join(', ')}, or add it to ${config.path}.`,
    });
  }
  return (named) => {
    const database = named ?? meant;
    if (typeof database === 'string' && names.includes(database)) return database;
    const fault = database === undefined ? 'is required: one of' : 'must be one of';
    throw fieldError('options.database', `${fault} ${names.join(', ')}`, named);
  };
}
