import type { DatabaseConfig } from '../../../src/config/thaw-config.ts';
import type { TestDatabase } from '../../harness/postgres.ts';

/** A test's database as a configuration names it. */
export function databaseConfig(database: TestDatabase, name = database.name): DatabaseConfig {
  const { host, port, user, password } = database;
  return {
    name,
    host,
    port,
    user,
    password: { secret: password },
    sslMode: 'prefer',
    sslRootCert: null,
    tables: [],
  };
}
