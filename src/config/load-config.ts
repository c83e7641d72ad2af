import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ThawError } from '../contract/thaw-error.ts';
import { type ConfigFile, configFile, configKeys } from './config.ts';
import { configError } from './config-error.ts';
import { parseYaml } from './parse-yaml.ts';
import { configuredServices, databaseServices, storeOfServices, strongestFirst } from './services.ts';
import { environmentSslMode } from './ssl-mode.ts';
import { storeConfig } from './store-config.ts';
import { type ConfigPath, substituteTree } from './substitute.ts';
import type { DatabaseConfig, ThawConfig } from './thaw-config.ts';

/**
 * Reads and validates a configuration file.
 *
 * @param path the file; a relative one is below the current folder
 * @throws ThawError `ConfigInvalid` with a line `field: reason (got value)` for each thing wrong
 */
export async function loadConfig(path: string, env: NodeJS.ProcessEnv): Promise<ThawConfig> {
  const file = resolve(path);
  try {
    return parseConfig(await readFile(file, 'utf8'), file, env);
  } catch (error) {
    if (error instanceof ThawError) throw error;
    throw new ThawError('ConfigInvalid', `${file}: cannot be read (${errorCode(error)})`, {
      object: file,
      hint: 'Name the configuration file with --config or THAW_CONFIG.',
      cause: error,
    });
  }
}

/**
 * Validates the text of a configuration file.
 *
 * @param file its absolute path: relative paths in it are below its folder
 */
export function parseConfig(text: string, file: string, env: NodeJS.ProcessEnv): ThawConfig {
  const tree = keepKnown(parseYaml(text, file));
  const result = configFile.safeParse(substituteTree(tree, env, isPassword));
  if (!result.success) throw configError(file, tree, result.error.issues);
  const { folder, s3 } = result.data;
  const databases = (result.data.databases ?? []).map((database) => databaseConfig(database, file, env));
  const named = configuredServices(result.data.services, file, env);
  const isNamed = folder !== undefined || s3?.bucket !== undefined;
  const store = isNamed
    ? storeConfig({ folder, s3, prefix: s3?.prefix ?? '' }, { file, within: '' }, env)
    : storeOfServices(named);
  return {
    path: file,
    store,
    databases,
    services: strongestFirst(named, databaseServices(databases, store)),
    restoreWatermark: {
      enabled: result.data.restore_watermark.enabled,
      storageType: result.data.restore_watermark.storage_type,
      updateAfterEachArchive: result.data.restore_watermark.update_after_each_archive,
    },
    auditTrail: result.data.defaults.audit_trail_storage_type,
  };
}

/** Leaves out the archiver's own sections: a variable missing there is no concern of a restore. */
function keepKnown(tree: unknown): unknown {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return tree;
  return Object.fromEntries(Object.entries(tree).filter(([key]) => configKeys.has(key)));
}

/** Passwords are substituted when they are used, so that one missing matters to its own database alone. */
function isPassword(path: ConfigPath): boolean {
  const isSection = path[0] === 'databases' || path[0] === 'services';
  return isSection && path[2] === 'password' && path.length === 3;
}

function databaseConfig(
  database: NonNullable<ConfigFile['databases']>[number],
  file: string,
  env: NodeJS.ProcessEnv,
): DatabaseConfig {
  const { name, host, port, user, tables } = database;
  return {
    name,
    host,
    port,
    user,
    password:
      database.password_env === undefined
        ? { text: database.password ?? '' }
        : { env: database.password_env },
    sslMode: database.sslmode ?? environmentSslMode(env),
    sslRootCert: database.sslrootcert === undefined ? null : resolve(dirname(file), database.sslrootcert),
    tables: tables.map((table) => ({
      name: table.name,
      schema: table.schema,
      timestampColumn: table.timestamp_column ?? null,
    })),
  };
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
}
