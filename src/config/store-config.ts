import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ThawError } from '../contract/thaw-error.ts';
import type { ConfigFile } from './config.ts';
import { serverSideEncryption } from './encryption.ts';
import type { S3Credentials, StoreConfig } from './thaw-config.ts';

/** A store as a section of the file names it: a folder, or else S3. */
export interface StoreSection {
  readonly folder?: string | undefined;
  readonly s3?: Omit<NonNullable<ConfigFile['s3']>, 'prefix'> | undefined;
  readonly prefix: string;
}

/** Where a section stands. */
export interface SectionPlace {
  /** The absolute path of the file: relative paths in it are below its folder. */
  readonly file: string;
  /** What names of its settings begin with in messages, such as `services[0].dumps.`; may be empty. */
  readonly within: string;
}

/**
 * A store with every default filled in.
 *
 * @throws ThawError `ConfigInvalid`; quotes no key
 */
export function storeConfig(
  section: StoreSection,
  { file, within }: SectionPlace,
  env: NodeJS.ProcessEnv,
): StoreConfig {
  const prefix = section.prefix.replace(/\/+$/, '');
  if (section.folder !== undefined) {
    return { kind: 'folder', path: folderPath(section.folder, { file, within }), prefix };
  }
  const { s3 } = section;
  const url = endpoint(s3?.endpoint, env);
  return {
    kind: 's3',
    endpoint: url,
    bucket: s3?.bucket ?? '',
    prefix,
    region: s3?.region ?? environmentRegion(env),
    pathStyle: s3?.addressing_style === undefined ? url !== null : s3.addressing_style === 'path',
    encryption: serverSideEncryption(s3, url, env, within),
    credentials: s3 === undefined ? null : credentials(s3, { file, within }),
  };
}

/** The region where nothing else names one. */
export function environmentRegion(env: NodeJS.ProcessEnv): string {
  return env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1';
}

/** The access key of the environment; null: profiles and roles, as ever. */
export function environmentCredentials(env: NodeJS.ProcessEnv): S3Credentials | null {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return null;
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}),
  };
}

/** A set one beats the environment; an explicit "" is AWS whatever the environment says. */
export function endpoint(configured: string | undefined, env: NodeJS.ProcessEnv): string | null {
  const url = configured ?? (env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || '');
  return url === '' ? null : url.replace(/\/+$/, '');
}

function credentials(
  s3: NonNullable<StoreSection['s3']>,
  { file, within }: SectionPlace,
): S3Credentials | null {
  const accessKeyId = s3.access_key_id ?? s3.aws_access_key_id;
  const secretAccessKey = s3.secret_access_key ?? s3.aws_secret_access_key;
  if (accessKeyId !== undefined && secretAccessKey !== undefined) return { accessKeyId, secretAccessKey };
  if (accessKeyId === undefined && secretAccessKey === undefined) return null;
  const missing = `${within}s3.${accessKeyId === undefined ? 'access_key_id' : 'secret_access_key'}`;
  throw new ThawError('ConfigInvalid', `${missing}: is required where the other half of the key is set`, {
    object: missing,
    hint: `Set both or neither in ${file}; without them the environment and then AWS's default chain count.`,
  });
}

function folderPath(folder: string, { file, within }: SectionPlace): string {
  if (!folder.startsWith('file:')) return resolve(dirname(file), folder);
  try {
    return fileURLToPath(folder);
  } catch (error) {
    const object = `${within}folder`;
    throw new ThawError(
      'ConfigInvalid',
      `${object}: is not a file:// URL of this machine (got "${folder}")`,
      { object, hint: 'Write it as file:///absolute/path, or as a path.', cause: error },
    );
  }
}
