import { expect, test } from 'vitest';
import { ThawError } from '../../../src/contract/thaw-error.ts';
import { readService } from '../../../src/dump/service/service-environment.ts';
import { serviceVariables } from '../../../src/dump/service/service-variables.ts';

const store = {
  AWS_ACCESS_KEY_ID: 'id',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_S3_BUCKET: 'dumps',
  AWS_S3_REGION: 'auto',
};
const backup = { ...store, BACKUP_DATABASE_URL: 'postgres://app:geheim@db:6000/shop' };
const restore = { ...store, MODE: 'restore', RESTORE_DATABASE_URL: 'postgres://app:geheim@db/shop' };
const once = { ...restore, RESTORE_SINGLE_SHOT_MODE: 'true' };

/** Every line of what is wrong. */
function faultsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readService(env);
    return [];
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    expect(error.code).toBe('ConfigInvalid');
    expect(JSON.stringify(error) + error.message).not.toContain('geheim');
    return error.message.split('\n');
  }
}

test('is a backup every morning where nothing else is said', () => {
  expect(readService(backup)).toEqual({
    mode: 'backup',
    service: {
      name: 'shop',
      connection: {
        ...{ name: 'shop', host: 'db', port: 6000, user: 'app', password: { secret: 'geheim' } },
        ...{ sslMode: 'prefer', sslRootCert: null, tables: [] },
      },
      maintenance: 'postgres',
      dumps: {
        ...{ kind: 's3', endpoint: null, bucket: 'dumps', prefix: '', region: 'us-east-1', pathStyle: false },
        ...{ encryption: null, credentials: { accessKeyId: 'id', secretAccessKey: 'secret' } },
      },
      filePrefix: 'backup',
      isDefault: true,
    },
    times: { onStartup: false, singleShot: false, cron: '0 5 * * *', timeZone: 'UTC' },
    backup: { format: 'tar', options: [] },
  });
});

test('takes every variable of its mode, and none of the other', () => {
  const shared = {
    AWS_S3_ENDPOINT: 'https://s3.example.org/',
    AWS_S3_FORCE_PATH_STYLE: 'yes',
    BUCKET_SUBFOLDER: '/nightly/',
    BACKUP_FILE_PREFIX: 'shop',
    SUPPORT_OBJECT_LOCK: 'on',
    TZ: 'Europe/Berlin',
  };
  const place = {
    dumps: {
      ...{ endpoint: 'https://s3.example.org', region: 'auto', pathStyle: true, prefix: 'nightly' },
      contentMd5: true,
    },
    filePrefix: 'shop',
  };
  const asBackup = readService({
    ...{ ...backup, ...shared, MODE: 'Backup' },
    ...{ BACKUP_CRON_SCHEDULE: '30 1 * * 0', BACKUP_OPTIONS: "-O --exclude-table 'a b' -Z9 -Fc" },
    ...{ BACKUP_RUN_ON_STARTUP: '1', BACKUP_SINGLE_SHOT_MODE: 'no' },
    ...{ RESTORE_CRON_SCHEDULE: 'never', RESTORE_OPTIONS: '--file=x', RESTORE_RUN_ON_STARTUP: '?' },
  });
  expect(asBackup).toMatchObject({
    mode: 'backup',
    service: place,
    times: {
      onStartup: true,
      singleShot: false,
      cron: '30 1 * * 0',
      timeZone: 'Europe/Berlin',
    },
    backup: { format: 'custom', options: ['--no-owner', '--exclude-table=a b', '--compress=9'] },
  });
  const asRestore = readService({
    ...{ ...restore, ...shared, MODE: ' RESTORE ' },
    ...{ RESTORE_FILE_KEY: 'a/b.tar.gz', RESTORE_CRON_SCHEDULE: '@hourly', RESTORE_OPTIONS: '-c --no-owner' },
    ...{ RESTORE_RUN_ON_STARTUP: 'ON', RESTORE_SINGLE_SHOT_MODE: '0' },
    ...{ BACKUP_CRON_SCHEDULE: 'never', RUN_ON_STARTUP: '?', SINGLE_SHOT_MODE: 'true' },
  });
  expect(asRestore).toMatchObject({
    mode: 'restore',
    service: place,
    times: { onStartup: true, singleShot: false, cron: '@hourly' },
    key: 'a/b.tar.gz',
    options: '-c --no-owner',
  });
});

test.each([
  ['RUN_ON_STARTUP', 'onStartup'],
  ['BACKUP_RUN_ON_STARTUP', 'onStartup'],
  ['SINGLE_SHOT_MODE', 'singleShot'],
  ['BACKUP_SINGLE_SHOT_MODE', 'singleShot'],
])('%s is a boolean in either spelling', (name, what) => {
  for (const word of ['true', 'TRUE', '1', 'yes', 'On'])
    expect(readService({ ...backup, [name]: word }).times).toMatchObject({ [what]: true });
  for (const word of ['false', 'False', '0', 'no', 'off', ''])
    expect(readService({ ...backup, [name]: word }).times).toMatchObject({ [what]: false });
  expect(faultsOf({ ...backup, [name]: 'maybe' })).toEqual([`${name}: must be true or false (got "maybe")`]);
});

test.each<[string, NodeJS.ProcessEnv, RegExp]>([
  ['an unknown mode', { ...backup, MODE: 'both' }, /^MODE: must be backup or restore \(got "both"\)$/],
  ['no database to dump', store, /^BACKUP_DATABASE_URL: is required where MODE is backup$/],
  [
    'no database to restore into, although DATABASE_URL is set',
    { ...once, RESTORE_DATABASE_URL: '', DATABASE_URL: 'postgres://a@b/c' },
    /^RESTORE_DATABASE_URL: is required where MODE is restore$/,
  ],
  ['a URL that is none', { ...once, RESTORE_DATABASE_URL: 'db:5432' }, /^RESTORE_DATABASE_URL: must be a/],
  [
    'no database in a URL',
    { ...backup, BACKUP_DATABASE_URL: 'postgres://a@b/' },
    /^BACKUP_DATABASE_URL: names no database$/,
  ],
  ['no bucket', { ...backup, AWS_S3_BUCKET: '' }, /^AWS_S3_BUCKET: is required$/],
  ['no region', { ...backup, AWS_S3_REGION: '' }, /^AWS_S3_REGION: is required/],
  ['half a key', { ...backup, AWS_SECRET_ACCESS_KEY: '' }, /^AWS_SECRET_ACCESS_KEY: is required$/],
  [
    'half a key beside a profile',
    { ...once, AWS_ACCESS_KEY_ID: '', AWS_PROFILE: 'p' },
    /^AWS_ACCESS_KEY_ID: is required$/,
  ],
  [
    'an endpoint without a scheme',
    { ...once, AWS_S3_ENDPOINT: 's3:9000' },
    /^AWS_S3_ENDPOINT: must be an http/,
  ],
  [
    'a path style that is neither',
    { ...once, AWS_S3_FORCE_PATH_STYLE: 'path' },
    /^AWS_S3_FORCE_PATH_STYLE: must be true or false/,
  ],
  [
    'an object lock that is neither',
    { ...backup, SUPPORT_OBJECT_LOCK: 'ja' },
    /^SUPPORT_OBJECT_LOCK: must be true or false \(got "ja"\)$/,
  ],
  [
    'a schedule of backups',
    { ...backup, BACKUP_CRON_SCHEDULE: '0 5 * *' },
    /^BACKUP_CRON_SCHEDULE: must have five fields.*"0 5 \* \*"/,
  ],
  [
    'a schedule of restores',
    { ...restore, RESTORE_CRON_SCHEDULE: '0 25 * * *' },
    /^RESTORE_CRON_SCHEDULE: has no hour in "25"/,
  ],
  [
    'spellings that contradict',
    { ...backup, RUN_ON_STARTUP: '1', BACKUP_RUN_ON_STARTUP: '0' },
    /^BACKUP_RUN_ON_STARTUP, RUN_ON_STARTUP: contradict/,
  ],
  [
    'a startup that is neither',
    { ...restore, RESTORE_RUN_ON_STARTUP: 'ja' },
    /^RESTORE_RUN_ON_STARTUP: must be true or false/,
  ],
  [
    'a single shot that is neither',
    { ...restore, RESTORE_SINGLE_SHOT_MODE: '2' },
    /^RESTORE_SINGLE_SHOT_MODE: must be/,
  ],
  [
    'an option of pg_restore that writes a file',
    { ...once, RESTORE_OPTIONS: '-f /etc/passwd' },
    /^RESTORE_OPTIONS: --file: it writes a file/,
  ],
  [
    'an option of pg_restore that names a database',
    { ...once, RESTORE_OPTIONS: '--dbname=x' },
    /^RESTORE_OPTIONS: --dbname: /,
  ],
  [
    'an option of pg_dump that writes a file',
    { ...backup, BACKUP_OPTIONS: '--file x' },
    /^BACKUP_OPTIONS: --file: /,
  ],
  [
    'an option of pg_dump that reads a file',
    { ...backup, BACKUP_OPTIONS: '--filter=x' },
    /^BACKUP_OPTIONS: --filter: /,
  ],
  [
    'an option of pg_dump that is none',
    { ...backup, BACKUP_OPTIONS: '--all' },
    /^BACKUP_OPTIONS: --all: pg_dump has it not/,
  ],
  [
    'a format that cannot be streamed',
    { ...backup, BACKUP_OPTIONS: '-Fd' },
    /^BACKUP_OPTIONS: --format: it is one of tar, custom and plain/,
  ],
  ['a compressed tar', { ...backup, BACKUP_OPTIONS: '-Z5' }, /^BACKUP_OPTIONS: --compress: /],
  [
    'a quote that is not closed',
    { ...backup, BACKUP_OPTIONS: "-t 'a" },
    /^BACKUP_OPTIONS: a ' is not closed$/,
  ],
  ['a key above the subfolder', { ...once, RESTORE_FILE_KEY: 'a/../../b' }, /^RESTORE_FILE_KEY: /],
  ['a key from the root', { ...once, RESTORE_FILE_KEY: '/a' }, /^RESTORE_FILE_KEY: /],
  ['a time zone that is none', { ...backup, TZ: 'Mars/Base' }, /^TZ: must name a time zone.*"Mars\/Base"/],
  [
    'nothing that would ever restore',
    { ...restore, RUN_ON_STARTUP: 'true', SINGLE_SHOT_MODE: 'true', BACKUP_CRON_SCHEDULE: '@daily' },
    /^RESTORE_RUN_ON_STARTUP, RESTORE_SINGLE_SHOT_MODE, RESTORE_CRON_SCHEDULE: one of them must be set/,
  ],
])('tells %s', (_, env, fault) => {
  expect(faultsOf(env)).toEqual([expect.stringMatching(fault)]);
});

test('tells everything at once', () => {
  const env = {
    ...{ MODE: 'restore', AWS_S3_ENDPOINT: 'here', AWS_S3_FORCE_PATH_STYLE: 'x', SUPPORT_OBJECT_LOCK: 'ja' },
    ...{ RESTORE_OPTIONS: '--file=x', RESTORE_FILE_KEY: '../x', RESTORE_CRON_SCHEDULE: 'z', TZ: 'none' },
    ...{ AWS_S3_BUCKET: 'dumps', RESTORE_RUN_ON_STARTUP: 'soon' },
  };
  expect(faultsOf(env).map((line) => line.split(':')[0])).toEqual([
    ...['AWS_S3_REGION', 'RESTORE_DATABASE_URL', 'AWS_S3_ENDPOINT', 'AWS_S3_FORCE_PATH_STYLE'],
    ...['SUPPORT_OBJECT_LOCK', 'RESTORE_OPTIONS', 'RESTORE_FILE_KEY', 'RESTORE_RUN_ON_STARTUP'],
    ...['RESTORE_CRON_SCHEDULE', 'TZ', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
  ]);
  const lost = { ...backup, AWS_S3_BUCKET: '', AWS_S3_REGION: '', AWS_S3_ENDPOINT: 'minio' };
  expect(faultsOf(lost).map((line) => line.split(':')[0])).toEqual([
    ...['AWS_S3_BUCKET', 'AWS_S3_REGION', 'AWS_S3_ENDPOINT'],
  ]);
  expect(faultsOf({ MODE: 'x' }).map((line) => line.split(':')[0])).toEqual([
    ...['MODE', 'AWS_S3_BUCKET', 'AWS_S3_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
  ]);
});

test('takes a folder in place of a bucket, and roles in place of keys', () => {
  const { AWS_ACCESS_KEY_ID: _, AWS_SECRET_ACCESS_KEY: __, ...keyless } = backup;
  expect(readService({ ...keyless, AWS_WEB_IDENTITY_TOKEN_FILE: '/t' }).service.dumps).toMatchObject({
    kind: 's3',
    credentials: null,
  });
  expect(
    readService({ BACKUP_DATABASE_URL: 'postgres://a@b/c', BACKUP_DIR: '/var/dumps' }).service.dumps,
  ).toEqual({ kind: 'folder', path: '/var/dumps', prefix: '' });
});

test.each([
  ['backup', backup],
  ['restore', once],
])('every variable that is documented for MODE=%s is read', (mode, env: NodeJS.ProcessEnv) => {
  const read = new Set<string | symbol>();
  readService(
    new Proxy(env, {
      get(target, name) {
        read.add(name);
        return Reflect.get(target, name);
      },
    }),
  );
  const documented = serviceVariables.filter((one) => one.mode === null || one.mode === mode);
  const names = documented.flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias]));
  expect(names.filter((name) => !read.has(name))).toEqual([]);
});
