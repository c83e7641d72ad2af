import type { TableRequest } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { substitute } from './substitute.ts';
import type { DatabaseConfig, ThawConfig } from './thaw-config.ts';

/**
 * The configured database of that name.
 *
 * @throws ThawError `InputInvalid` naming those that there are
 */
export function findDatabase(config: ThawConfig, name: string): DatabaseConfig {
  const found = config.databases.find((database) => database.name === name);
  if (found !== undefined) return found;
  throw new ThawError('InputInvalid', `database "${name}" is not in the configuration`, {
    object: name,
    hint:
      config.databases.length === 0
        ? 'No archives are configured: name the configuration file with --config PATH or in THAW_CONFIG.'
        : `Name one of ${config.databases.map((database) => database.name).join(', ')}, or add it to ${config.path}.`,
  });
}

/** The database that is meant where none is named: the only one configured; null where there are several. */
export function onlyDatabase({ databases }: ThawConfig): DatabaseConfig | null {
  const [only, second] = databases;
  return second === undefined ? (only ?? null) : null;
}

/**
 * The password of a database, found only now so that another database's missing variable is no error.
 *
 * @throws ThawError `ConfigInvalid` naming the variable that is not set
 */
export function databasePassword(database: DatabaseConfig, env: NodeJS.ProcessEnv): string {
  if ('secret' in database.password) return database.password.secret;
  const place = `databases[${database.name}]`;
  if ('text' in database.password) return substitute(database.password.text, env, `${place}.password`);
  const variable = database.password.env;
  const password = env[variable];
  if (password) return password;
  throw new ThawError('ConfigInvalid', `${place}.password_env: environment variable ${variable} is not set`, {
    object: `${place}.password_env`,
    hint: `Set ${variable} to the password of ${database.user}.`,
  });
}

/** Every table that the configuration has for a database, as it stands. */
export function configuredTables({ tables }: DatabaseConfig): TableRequest[] {
  return tables.map(({ name, schema }) => ({ table: name, schema, intoSchema: schema, intoTable: name }));
}
