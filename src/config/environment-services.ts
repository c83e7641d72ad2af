import { resolve } from 'node:path';
import { type SslMode, truthOf } from './config.ts';
import { isPort, parseDatabaseUrl } from './database-url.ts';
import { defaultMaintenance } from './services.ts';
import { parseSslMode, sslModeReason } from './ssl-mode.ts';
import { endpoint, environmentCredentials, environmentRegion } from './store-config.ts';
import type { S3StoreConfig, ServiceConfig, StoreConfig } from './thaw-config.ts';

/** What an environment says of services, and everything that is wrong in it. */
export interface EnvironmentServices {
  readonly services: readonly ServiceConfig[];
  /** Lines `VARIABLE: reason`; without secrets. */
  readonly faults: readonly string[];
}

/** `{SERVICE}_DB_{PART}`, as the scripts of the procedures have them. */
const variable = /^([A-Z][A-Z0-9_]*?)_DB_(?:HOST|PORT|USER|PASSWORD|NAME)$/;

/** What the scripts of the procedures take where a variable is not set; of every other service 5432. */
const documentedPorts: Readonly<Record<string, string>> = { HERMES: '5433' };

/** What the S3 tool names its dumps after where `BACKUP_FILE_PREFIX` is not set. */
const defaultPrefix = 'backup';

/**
 * The services that environment variables tell, the strongest first: `{NAME}_DB_HOST|PORT|USER|PASSWORD|NAME` of
 * the procedures, with dumps in `BACKUP_DIR`; then `RESTORE_DATABASE_URL` of the dump design, with dumps in
 * `AWS_S3_BUCKET`. Where one of the two places is not set, the other counts.
 */
export function environmentServices(env: NodeJS.ProcessEnv): EnvironmentServices {
  const faults: string[] = [];
  const folder = folderOf(env);
  const bucket = bucketOf(env, faults);
  const names = new Set(Object.keys(env).flatMap((name) => (isSet(env, name) ? serviceOf(name) : [])));
  // Whoever names no service here is not bothered by its faults.
  const isNamed = names.size > 0 || Boolean(env[urlVariable(env)]);
  const sslMode = isNamed ? sslModeOf(env, faults) : 'prefer';
  const named = [...names].sort().map((name) => namedService(name, env, folder ?? bucket, sslMode, faults));
  const byUrl = serviceOfUrl(urlVariable(env), env, bucket ?? folder, sslMode, faults);
  return { services: byUrl === null ? named : [...named, byUrl], faults };
}

function serviceOf(name: string): string[] {
  const [, service] = variable.exec(name) ?? [];
  return service === undefined ? [] : [service];
}

/** Kubernetes sets `ARGUS_DB_PORT=tcp://10.0.0.11:5432` for a service `argus-db` of its own. */
function isSet(env: NodeJS.ProcessEnv, name: string): boolean {
  const value = env[name];
  return Boolean(value) && !value?.startsWith('tcp://');
}

function namedService(
  name: string,
  env: NodeJS.ProcessEnv,
  dumps: StoreConfig | null,
  sslMode: SslMode,
  faults: string[],
): ServiceConfig {
  const service = name.toLowerCase();
  const part = (which: string, fallback: string) => {
    const each = `${name}_DB_${which}`;
    return (isSet(env, each) ? env[each] : undefined) ?? fallback;
  };
  const host = part('HOST', 'localhost');
  const port = part('PORT', documentedPorts[name] ?? '5432');
  if (host.includes('://'))
    faults.push(`${name}_DB_HOST: must be a host name, an address or a socket folder`);
  if (!isPort(port)) faults.push(`${name}_DB_PORT: must be a whole number from 1 to 65535 (got "${port}")`);
  return {
    name: service,
    connection: {
      name: part('NAME', `${service}_db`),
      host,
      port: Number(port),
      user: part('USER', service),
      password: { secret: part('PASSWORD', '') },
      sslMode,
      sslRootCert: null,
      tables: [],
    },
    maintenance: defaultMaintenance,
    dumps,
    filePrefix: null,
  };
}

function serviceOfUrl(
  name: string,
  env: NodeJS.ProcessEnv,
  dumps: StoreConfig | null,
  sslMode: SslMode,
  faults: string[],
): ServiceConfig | null {
  const url = env[name];
  if (!url) return null;
  const connection = parseDatabaseUrl(url, sslMode);
  if (!('name' in connection)) {
    faults.push(...connection.map((reason) => `${name}: ${reason}`));
    return null;
  }
  return {
    name: connection.name,
    connection,
    maintenance: defaultMaintenance,
    dumps,
    filePrefix: env.BACKUP_FILE_PREFIX || defaultPrefix,
    isDefault: true,
  };
}

/** The service of a variable that holds a URL; its dumps lie where those of `RESTORE_DATABASE_URL` do. */
export function databaseUrlService(
  env: NodeJS.ProcessEnv,
  variable: string,
): { readonly service: ServiceConfig | null; readonly faults: readonly string[] } {
  const faults: string[] = [];
  const dumps = bucketOf(env, faults) ?? folderOf(env);
  // Where the bucket is missing, what else is wrong with the store is told all the same.
  if (dumps === null) bucketOf({ ...env, AWS_S3_BUCKET: '-' }, faults);
  const sslMode = sslModeOf(env, faults);
  return { service: serviceOfUrl(variable, env, dumps, sslMode, faults), faults };
}

/** `DATABASE_URL` is set for many other things, too: it counts beside `S3_BUCKET`, as the relatives have both. */
function urlVariable({ RESTORE_DATABASE_URL, DATABASE_URL = '', S3_BUCKET }: NodeJS.ProcessEnv): string {
  const isRelative = !RESTORE_DATABASE_URL && S3_BUCKET && /^postgres(?:ql)?:/.test(DATABASE_URL);
  return isRelative ? 'DATABASE_URL' : 'RESTORE_DATABASE_URL';
}

function folderOf({ BACKUP_DIR }: NodeJS.ProcessEnv): StoreConfig | null {
  return BACKUP_DIR ? { kind: 'folder', path: resolve(BACKUP_DIR), prefix: '' } : null;
}

/** The S3 tool's variables, and those of its relatives where they are not set. */
function bucketOf(env: NodeJS.ProcessEnv, faults: string[]): S3StoreConfig | null {
  const bucket = env.AWS_S3_BUCKET || env.S3_BUCKET;
  if (!bucket) return null;
  const given = env.AWS_S3_ENDPOINT || env.S3_ENDPOINT || undefined;
  if (given !== undefined && !/^https?:\/\//.test(given)) {
    faults.push(
      `${env.AWS_S3_ENDPOINT ? 'AWS_S3_ENDPOINT' : 'S3_ENDPOINT'}: must be an http:// or https:// URL`,
    );
  }
  const url = endpoint(given, env);
  return {
    kind: 's3',
    endpoint: url,
    bucket,
    prefix: (env.BUCKET_SUBFOLDER ?? '').replace(/^\/+|\/+$/g, ''),
    region: regionOf(env, url),
    // As the S3 tool has it, virtual hosts count where nothing is said, also of other stores than AWS.
    pathStyle: truthIn(env, 'AWS_S3_FORCE_PATH_STYLE', faults),
    encryption: null,
    // Kept with the store, since a `.env` file may hold them.
    credentials: environmentCredentials(env),
    ...(truthIn(env, 'SUPPORT_OBJECT_LOCK', faults) ? { contentMd5: true as const } : {}),
  };
}

/** `auto` is a region of other stores only. */
function regionOf(env: NodeJS.ProcessEnv, url: string | null): string {
  const region = env.AWS_S3_REGION || env.S3_REGION || environmentRegion(env);
  return region === 'auto' && url === null ? environmentRegion(env) : region;
}

function truthIn(env: NodeJS.ProcessEnv, name: string, faults: string[]): boolean {
  const word = env[name];
  if (!word) return false;
  const truth = truthOf(word);
  if (truth === undefined) faults.push(`${name}: must be true or false (got "${word}")`);
  return truth ?? false;
}

function sslModeOf({ PGSSLMODE: word }: NodeJS.ProcessEnv, faults: string[]): SslMode {
  const mode = parseSslMode(word || 'prefer');
  if (mode === null) faults.push(`PGSSLMODE: ${sslModeReason} (got "${word}")`);
  return mode ?? 'prefer';
}
