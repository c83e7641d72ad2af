import { findDatabase, onlyDatabase } from '../config/database-config.ts';
import type { DatabaseConfig, ThawConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';

/**
 * The database that a table is of: the one named, else the only one configured.
 *
 * @throws ThawError `InputInvalid` when it is not configured, or one of several must be named
 */
export function chosenDatabase(config: ThawConfig, named: string | null): DatabaseConfig {
  if (named !== null) return findDatabase(config, named);
  const only = onlyDatabase(config);
  if (only !== null) return only;
  throw new ThawError('InputInvalid', '--database is missing, as several databases are configured', {
    object: '--database',
    hint: `Name one of ${config.databases.map(({ name }) => name).join(', ')}.`,
  });
}
