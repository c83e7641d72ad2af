import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, YAMLParseError } from 'yaml';
import { ThawError } from '../contract/thaw-error.ts';
import { type ConfigFile, configFile, configKeys, type SslMode, sslModes } from './config.ts';
import { configError } from './config-error.ts';
import { serverSideEncryption } from './encryption.ts';
import { type ConfigPath, substituteTree } from './substitute.ts';
import type { DatabaseConfig, S3Credentials, StoreConfig, ThawConfig } from './thaw-config.ts';

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
  return {
    path: file,
    store: storeConfig(result.data, file, env),
    databases: result.data.databases.map((database) => databaseConfig(database, file, env)),
    restoreWatermark: {
      enabled: result.data.restore_watermark.enabled,
      storageType: result.data.restore_watermark.storage_type,
      updateAfterEachArchive: result.data.restore_watermark.update_after_each_archive,
    },
    auditTrail: result.data.defaults.audit_trail_storage_type,
  };
}

function parseYaml(text: string, file: string): unknown {
  try {
    return parse(text, { merge: true });
  } catch (error) {
    const line = error instanceof YAMLParseError ? error.linePos?.[0].line : undefined;
    // Its message quotes the lines around the mistake, which may hold a password.
    const reason =
      error instanceof YAMLParseError ? error.code.toLowerCase().replaceAll('_', ' ') : 'unreadable';
    throw new ThawError('ConfigInvalid', `${file}${line ? `:${line}` : ''}: not valid YAML (${reason})`, {
      object: file,
      hint: `Correct ${file}.`,
    });
  }
}

/** Leaves out the archiver's own sections: a variable missing there is no concern of a restore. */
function keepKnown(tree: unknown): unknown {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return tree;
  return Object.fromEntries(Object.entries(tree).filter(([key]) => configKeys.has(key)));
}

/** Passwords are substituted when they are used, so that one missing matters to its own database alone. */
function isPassword(path: ConfigPath): boolean {
  return path[0] === 'databases' && path[2] === 'password' && path.length === 3;
}

function storeConfig(data: ConfigFile, file: string, env: NodeJS.ProcessEnv): StoreConfig {
  const prefix = (data.s3?.prefix ?? '').replace(/\/+$/, '');
  if (data.folder !== undefined) return { kind: 'folder', path: folderPath(data.folder, file), prefix };
  const { s3 } = data;
  const url = endpoint(s3?.endpoint, env);
  return {
    kind: 's3',
    endpoint: url,
    bucket: s3?.bucket ?? '',
    prefix,
    region: s3?.region ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1'),
    pathStyle: s3?.addressing_style === undefined ? url !== null : s3.addressing_style === 'path',
    encryption: serverSideEncryption(s3, url, env),
    credentials: s3 === undefined ? null : credentials(s3, file),
  };
}

/** A set one beats the environment; an explicit "" is AWS whatever the environment says. */
function endpoint(configured: string | undefined, env: NodeJS.ProcessEnv): string | null {
  const url = configured ?? (env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || '');
  return url === '' ? null : url.replace(/\/+$/, '');
}

function credentials(s3: NonNullable<ConfigFile['s3']>, file: string): S3Credentials | null {
  const accessKeyId = s3.access_key_id ?? s3.aws_access_key_id;
  const secretAccessKey = s3.secret_access_key ?? s3.aws_secret_access_key;
  if (accessKeyId !== undefined && secretAccessKey !== undefined) return { accessKeyId, secretAccessKey };
  if (accessKeyId === undefined && secretAccessKey === undefined) return null;
  const missing = accessKeyId === undefined ? 's3.access_key_id' : 's3.secret_access_key';
  throw new ThawError('ConfigInvalid', `${missing}: is required where the other half of the key is set`, {
    object: missing,
    hint: `Set both or neither in ${file}; without them the environment and then AWS's default chain count.`,
  });
}

function folderPath(folder: string, file: string): string {
  if (!folder.startsWith('file:')) return resolve(dirname(file), folder);
  try {
    return fileURLToPath(folder);
  } catch (error) {
    throw new ThawError('ConfigInvalid', `folder: is not a file:// URL of this machine (got "${folder}")`, {
      object: 'folder',
      hint: 'Write it as file:///absolute/path, or as a path.',
      cause: error,
    });
  }
}

function databaseConfig(
  database: ConfigFile['databases'][number],
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

function environmentSslMode(env: NodeJS.ProcessEnv): SslMode {
  const word = env.PGSSLMODE || 'prefer';
  const mode = sslModes.find((known) => known === word);
  if (mode !== undefined) return mode;
  throw new ThawError('ConfigInvalid', `PGSSLMODE: must be one of ${sslModes.join(', ')} (got "${word}")`, {
    object: 'PGSSLMODE',
    hint: 'Correct the environment variable, or set sslmode in the configuration.',
  });
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
}
