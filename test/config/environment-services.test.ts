import { expect, test } from 'vitest';
import { environmentServices } from '../../src/config/environment-services.ts';

const connection = { sslMode: 'prefer', sslRootCert: null, tables: [] };

test('names the services of the procedures, with the defaults of their scripts', () => {
  const { services, faults } = environmentServices({
    ARGUS_DB_PASSWORD: 'a',
    HERMES_DB_PASSWORD: 'h',
    MY_APP_DB_HOST: '/var/run/postgresql',
    MY_APP_DB_PORT: '6000',
    MY_APP_DB_USER: 'app',
    MY_APP_DB_NAME: 'App "one"',
    BACKUP_DIR: '/var/backups/opareta',
  });
  const rest = {
    maintenance: 'postgres',
    dumps: { kind: 'folder', path: '/var/backups/opareta', prefix: '' },
    filePrefix: null,
  };
  expect(faults).toEqual([]);
  expect(services).toEqual([
    {
      name: 'argus',
      connection: {
        ...connection,
        name: 'argus_db',
        host: 'localhost',
        port: 5432,
        user: 'argus',
        password: { secret: 'a' },
      },
      ...rest,
    },
    {
      name: 'hermes',
      connection: {
        ...connection,
        name: 'hermes_db',
        host: 'localhost',
        port: 5433,
        user: 'hermes',
        password: { secret: 'h' },
      },
      ...rest,
    },
    {
      name: 'my_app',
      connection: {
        ...connection,
        name: 'App "one"',
        host: '/var/run/postgresql',
        port: 6000,
        user: 'app',
        password: { secret: '' },
      },
      ...rest,
    },
  ]);
});

const tool = {
  RESTORE_DATABASE_URL: 'postgres://u:p@h:1/shop',
  AWS_S3_BUCKET: 'dumps',
  AWS_S3_REGION: 'auto',
  AWS_S3_ENDPOINT: 'https://r2.example.com/',
  AWS_ACCESS_KEY_ID: 'A',
  AWS_SECRET_ACCESS_KEY: 'S',
};
const bucket = {
  kind: 's3',
  endpoint: 'https://r2.example.com',
  bucket: 'dumps',
  prefix: '',
  region: 'auto',
  pathStyle: false,
  encryption: null,
  credentials: { accessKeyId: 'A', secretAccessKey: 'S' },
};

test('names the database of the S3 tool, which is also the default one', () => {
  expect(environmentServices(tool)).toEqual({
    faults: [],
    services: [
      {
        name: 'shop',
        connection: { ...connection, name: 'shop', host: 'h', port: 1, user: 'u', password: { secret: 'p' } },
        maintenance: 'postgres',
        dumps: bucket,
        filePrefix: 'backup',
        isDefault: true,
      },
    ],
  });
});

test.each([
  [{ BUCKET_SUBFOLDER: '/prod/daily/' }, { prefix: 'prod/daily' }],
  [{ AWS_S3_FORCE_PATH_STYLE: 'Yes' }, { pathStyle: true }],
  [{ AWS_S3_FORCE_PATH_STYLE: '0' }, { pathStyle: false }],
  [
    { AWS_S3_ENDPOINT: '', AWS_REGION: 'eu-west-1' },
    { endpoint: null, region: 'eu-west-1' },
  ],
  [{ AWS_S3_ENDPOINT: '', AWS_ENDPOINT_URL_S3: 'http://minio:9000' }, { endpoint: 'http://minio:9000' }],
  [{ AWS_SECRET_ACCESS_KEY: '' }, { credentials: null }],
])('its bucket with %o', (env, parts) => {
  expect(environmentServices({ ...tool, ...env }).services[0]?.dumps).toEqual({ ...bucket, ...parts });
});

test('its relatives are told by their own variables, where its own are not set', () => {
  const env = {
    DATABASE_URL: 'postgresql://u:p@h:1/shop',
    S3_BUCKET: 'dumps',
    S3_REGION: 'eu-central-1',
    S3_ENDPOINT: 'http://minio:9000',
    BACKUP_FILE_PREFIX: 'nightly',
  };
  expect(environmentServices(env).services).toMatchObject([
    {
      name: 'shop',
      filePrefix: 'nightly',
      dumps: { bucket: 'dumps', region: 'eu-central-1', endpoint: 'http://minio:9000' },
    },
  ]);
  expect(environmentServices({ ...tool, DATABASE_URL: 'postgres://u:p@h:1/other' }).services).toHaveLength(1);
  const none = { services: [], faults: [] };
  expect(environmentServices({ DATABASE_URL: 'mysql://u:p@h/shop', S3_BUCKET: 'b' })).toEqual(none);
  expect(environmentServices({ DATABASE_URL: 'postgres://localhost', PGSSLMODE: 'strong' })).toEqual(none);
});

test('each kind takes the place of the other where its own is not set', () => {
  const dumpsOf = (env: NodeJS.ProcessEnv) =>
    environmentServices(env).services.map(({ name, dumps }) => [name, dumps?.kind ?? null]);
  const both = { ...tool, ARGUS_DB_USER: 'a' };
  expect(dumpsOf({ ...both, BACKUP_DIR: '/b' })).toEqual([
    ['argus', 'folder'],
    ['shop', 's3'],
  ]);
  expect(dumpsOf(both)).toEqual([
    ['argus', 's3'],
    ['shop', 's3'],
  ]);
  expect(dumpsOf({ ...both, AWS_S3_BUCKET: '' })).toEqual([
    ['argus', null],
    ['shop', null],
  ]);
});

test('what Kubernetes sets for a service of its own is none', () => {
  const env = { ARGUS_DB_PORT: 'tcp://10.0.0.11:5432', ARGUS_DB_SERVICE_HOST: '10.0.0.11' };
  expect(environmentServices(env)).toEqual({ services: [], faults: [] });
  expect(environmentServices({ ...env, ARGUS_DB_HOST: 'h' }).services[0]?.connection.port).toBe(5432);
});

test('tells every fault at once, by the name of its variable and without secrets', () => {
  const { faults } = environmentServices({
    ARGUS_DB_HOST: 'postgres://u:hunter2@h',
    ARGUS_DB_PORT: '70000',
    RESTORE_DATABASE_URL: 'mysql://u:hunter2@h/d',
    AWS_S3_BUCKET: 'dumps',
    AWS_S3_ENDPOINT: 'minio:9000',
    AWS_S3_FORCE_PATH_STYLE: 'perhaps',
    PGSSLMODE: 'strong',
  });
  expect(faults).toEqual([
    'AWS_S3_ENDPOINT: must be an http:// or https:// URL',
    'AWS_S3_FORCE_PATH_STYLE: must be true or false (got "perhaps")',
    'PGSSLMODE: must be one of disable, allow, prefer, require, verify-ca, verify-full (got "strong")',
    'ARGUS_DB_HOST: must be a host name, an address or a socket folder',
    'ARGUS_DB_PORT: must be a whole number from 1 to 65535 (got "70000")',
    'RESTORE_DATABASE_URL: must be a postgres:// URL, with what is special in user and password percent-encoded',
  ]);
});
