import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ThawError } from '../contract/thaw-error.ts';

/** The environment variables that Thaw reads, for help and documentation. */
export const environmentVariables = {
  THAW_CONFIG: 'The configuration file, where --config is absent.',
  THAW_SYSTEM:
    'The file that describes systems, where --system is absent. Default: system.yaml beside config.yaml.',
  THAW_STATE_DIR: 'Where the own Temporal server of `thaw restore` keeps its state.',
  THAW_TASK_QUEUE: 'Task queue of the workers. Default: thaw.',
  THAW_DATABASE_URL: 'Control database of `thaw api`: saved restores, runs, logs.',
  THAW_JWT_SECRET: 'Secret that tokens for the API are signed and checked with (HS256).',
  THAW_JWKS: 'Public keys that tokens are checked with: a file or an https:// URL.',
  THAW_JWT_ISSUER: 'Issuer that tokens must name.',
  THAW_JWT_AUDIENCE: 'Audience that tokens must name; required with THAW_JWKS.',
  THAW_JWT_CLOCK_SKEW: 'Seconds that clocks may differ by.',
  THAW_STARTS_PER_MINUTE: 'Restores that a tenant may start by the API in a minute.',
  THAW_SNAPSHOT_RESTORES_PER_HOUR:
    'Restores of snapshots of its rows that a tenant may begin in an hour; 0: any number. Default: 5.',
  THAW_RUN_KEEP: 'How long runs, their logs and what can be undone are kept after their end. Default: 365d.',
  THAW_TENANT_COLUMN: 'Column that tells whose a row of a snapshot is. Default: tenant_id.',
  THAW_BUNDLE_DATABASE: 'Database of bundles and extracts that name none, where several are configured.',
  THAW_UPLOAD_LIMIT: 'How large a bundle may be. Default: 1GiB.',
  THAW_UPLOAD_KEEP: 'How long uploaded bundles are kept. Default: 7d.',
  THAW_EXTRACT_KEEP: 'How long extracts are kept. Default: 7d.',
  THAW_URL_ALLOW: 'Hosts and buckets of other networks that workers may fetch bundles from.',
  THAW_WEBHOOK_URL: 'Where workers tell of drills that fail or miss an objective.',
  THAW_WEBHOOK_SECRET: 'Secret that these messages are signed with (HMAC-SHA256).',
  TEMPORAL_ADDRESS: 'host:port of the Temporal server; without it `thaw restore` runs its own.',
  TEMPORAL_NAMESPACE: 'Namespace in it. TEMPORAL_API_KEY, TEMPORAL_TLS and the like are read, too.',
  TEMPORAL_UI_URL: 'Where its web UI is, to be named in messages.',
  AWS_ACCESS_KEY_ID: 'Access key of S3, where config.yaml has none; profiles and roles work as ever.',
  AWS_SECRET_ACCESS_KEY: 'Its secret.',
  AWS_REGION: 'Region, where config.yaml names none; AWS_DEFAULT_REGION after it.',
  AWS_ENDPOINT_URL_S3: 'S3-compatible store, where config.yaml names none; AWS_ENDPOINT_URL after it.',
  PG_BIN: 'Folder of the programs of PostgreSQL. Default: PATH, then the folders of distributions.',
  THAW_SPOOL_DIR: 'Where dumps lie that pg_restore needs as files. Default: the folder for temporary files.',
  PGSSLMODE: 'TLS to PostgreSQL, where config.yaml does not say.',
  BACKUP_DIR: 'Folder of the dumps of services that NAME_DB_HOST, _PORT, _USER, _PASSWORD and _NAME tell.',
  RESTORE_DATABASE_URL: 'Database that dumps are restored into; DATABASE_URL after it, beside S3_BUCKET.',
  AWS_S3_BUCKET: 'Bucket of its dumps; S3_BUCKET after it.',
  AWS_S3_REGION: 'Region of that bucket, or auto; S3_REGION after it.',
  AWS_S3_ENDPOINT: 'Its store, where that is not AWS; S3_ENDPOINT after it.',
  AWS_S3_FORCE_PATH_STYLE: 'true: the bucket is named in the path. Default: false.',
  BUCKET_SUBFOLDER: 'What keys of dumps begin with.',
  BACKUP_FILE_PREFIX: 'What names of dumps begin with. Default: backup.',
} as const satisfies Record<string, string>;

/** A setting, and where its value came from, for messages. */
export interface Setting<T> {
  readonly value: T;
  /** `--config`, `THAW_CONFIG`, `the configuration` or `the default`. */
  readonly from: string;
}

/** The places that a setting may be given in, strongest first; what is absent or empty is passed over. */
export interface SettingSources<T> {
  readonly flag?: { readonly name: string; readonly value: string | undefined };
  readonly variable?: { readonly name: string; readonly env: NodeJS.ProcessEnv };
  readonly configured?: T | null | undefined;
  readonly fallback: T;
}

/** Flag before environment before configuration before default. */
export function resolveSetting(sources: SettingSources<string>): Setting<string> {
  const { flag, variable, configured, fallback } = sources;
  if (flag?.value) return { value: flag.value, from: flag.name };
  const fromEnvironment = variable?.env[variable.name];
  if (variable && fromEnvironment) return { value: fromEnvironment, from: variable.name };
  if (configured) return { value: configured, from: 'the configuration' };
  return { value: fallback, from: 'the default' };
}

/**
 * The configuration file: `--config`, then `THAW_CONFIG`.
 *
 * @throws ThawError `ConfigInvalid` when neither names one
 */
export function configPath(flag: string | undefined, env: NodeJS.ProcessEnv): Setting<string> {
  const setting = resolveSetting({
    flag: { name: '--config', value: flag },
    variable: { name: 'THAW_CONFIG', env },
    fallback: '',
  });
  if (setting.value !== '') return { ...setting, value: resolve(setting.value) };
  throw new ThawError('ConfigInvalid', 'no configuration file is named', {
    object: 'THAW_CONFIG',
    hint: 'Name it with --config PATH or in THAW_CONFIG.',
  });
}

/** Where the state of this user lies: `--state-dir` or `THAW_STATE_DIR`, then `$XDG_STATE_HOME/thaw`. */
export function stateDir(flag: string | undefined, env: NodeJS.ProcessEnv): Setting<string> {
  const home = env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state');
  const setting = resolveSetting({
    flag: { name: '--state-dir', value: flag },
    variable: { name: 'THAW_STATE_DIR', env },
    fallback: join(home, 'thaw'),
  });
  return { ...setting, value: resolve(setting.value) };
}
