import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { databasePassword, findDatabase } from '../../src/config/database-config.ts';
import { withDotenv } from '../../src/config/dotenv.ts';
import { serviceFingerprint } from '../../src/config/fingerprint.ts';
import { loadServices } from '../../src/config/load-services.ts';
import { findService } from '../../src/config/services.ts';
import { configText, parsed } from './example.ts';

const services = `
services:
  - name: argus
    host: db1
    database: argus_db
    password: \${ARGUS_PASSWORD}
    dumps: { folder: dumps, prefix: nightly/ }
  - name: shop
    host: db2
    port: "6432"
    user: owner
    password_env: SHOP_PASSWORD
    database: Shop
    sslmode: require
    maintenance_database: template1
    file_prefix: backup
    dumps:
      s3: { bucket: dumps, endpoint: "http://minio:9000", access_key_id: A, secret_access_key: S }
      prefix: shop
`;

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'thaw-services-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

test('a file names services, with every default filled in', () => {
  const config = parsed(configText({ rest: services }));
  expect(config.services).toEqual([
    {
      name: 'argus',
      connection: {
        name: 'argus_db',
        host: 'db1',
        port: 5432,
        user: 'argus',
        password: { text: `$${'{ARGUS_PASSWORD}'}` },
        sslMode: 'prefer',
        sslRootCert: null,
        tables: [],
      },
      maintenance: 'postgres',
      dumps: { kind: 'folder', path: '/etc/thaw/dumps', prefix: 'nightly' },
      filePrefix: null,
    },
    {
      name: 'shop',
      connection: {
        name: 'Shop',
        host: 'db2',
        port: 6432,
        user: 'owner',
        password: { env: 'SHOP_PASSWORD' },
        sslMode: 'require',
        sslRootCert: null,
        tables: [],
      },
      maintenance: 'template1',
      dumps: {
        kind: 's3',
        endpoint: 'http://minio:9000',
        bucket: 'dumps',
        prefix: 'shop',
        region: 'us-east-1',
        pathStyle: true,
        encryption: null,
        credentials: { accessKeyId: 'A', secretAccessKey: 'S' },
      },
      filePrefix: 'backup',
    },
    {
      name: 'd',
      connection: config.databases[0],
      maintenance: 'postgres',
      dumps: { ...config.store, prefix: 'dumps' },
      filePrefix: null,
    },
  ]);
  expect(databasePassword(findService(config, 'argus').connection, { ARGUS_PASSWORD: 'p' })).toBe('p');
});

test('the dumps of a database lie beside its archives', () => {
  const config = parsed(configText({ s3: '{ bucket: b, prefix: archives/ }' }));
  expect(findService(config, 'd').dumps).toMatchObject({ bucket: 'b', prefix: 'archives/dumps' });
});

test('a file may name services alone', () => {
  const config = parsed(`version: "1.0"\n${services}`);
  expect(config.databases).toEqual([]);
  expect(config.store).toEqual({ kind: 'folder', path: '/etc/thaw/dumps', prefix: 'nightly' });
});

test.each([
  ['{ name: a }', 'services[0].database: is required'],
  ['{ name: a, database: d, port: 0 }', 'services[0].port: must be a whole number from 1 to 65535 (got 0)'],
  [
    '{ name: a, database: d, password: hunter2, password_env: P }',
    'services[0].password: only one of password_env and password may be set',
  ],
  ['{ name: a, database: d, dumps: {} }', 'services[0].dumps.folder: is required'],
  ['{ name: a, database: d, dumps: { s3: {} } }', 'services[0].dumps.s3.bucket: is required'],
  [
    '{ name: a, database: d, dumps: { folder: f, s3: { bucket: b } } }',
    'services[0].dumps.folder: and s3 must not both be set (got "f")',
  ],
  [
    '{ name: a, database: d, dumps: { s3: { bucket: b, access_key_id: A } } }',
    'services[0].dumps.s3.secret_access_key: is required where the other half of the key is set',
  ],
  ['{ name: a, database: d }, { name: a, database: e }', 'services[1].name: is there twice (got "a")'],
])('refuses %s', (list, message) => {
  expect(() => parsed(configText({ rest: `services: [${list}]` }))).toThrow(
    expect.objectContaining({ code: 'ConfigInvalid', message }),
  );
});

test('is found by name, or says which there are', () => {
  const config = parsed(configText({ rest: services }));
  expect(findService(config, 'shop').connection.name).toBe('Shop');
  expect(() => findService(config, 'other')).toThrow(
    expect.objectContaining({
      code: 'InputInvalid',
      message: 'service "other" is not configured',
      hint: expect.stringContaining('Name one of argus, shop, d, or'),
    }),
  );
  expect(() => findService(config, null)).toThrow('no service is named, and there are several');
  expect(findService(parsed(configText()), null).name).toBe('d');
  expect(findService(parsed(configText()), 'default').name).toBe('d');
});

test('the fingerprint of a service tells its database and its dumps, and no secret', () => {
  const printOf = (from: string, to: string) => {
    const text = configText({ rest: services }).replace(from, to);
    return serviceFingerprint(findService(parsed(text), 'shop'));
  };
  const print = printOf('', '');
  expect(print).toMatch(/^[0-9a-f]{16}$/);
  for (const [from, to] of [
    ['secret_access_key: S', 'secret_access_key: T'],
    ['SHOP_PASSWORD', 'OTHER_PASSWORD'],
    ['host: db1', 'host: db3'],
  ] as const) {
    expect(printOf(from, to), from).toBe(print);
  }
  for (const [from, to] of [
    ['host: db2', 'host: db3'],
    ['"6432"', '"6433"'],
    ['user: owner', 'user: other'],
    ['database: Shop', 'database: shop'],
    ['template1', 'postgres'],
    ['bucket: dumps', 'bucket: others'],
    ['prefix: shop', 'prefix: all'],
    ['file_prefix: backup', 'file_prefix: other'],
  ] as const) {
    expect(printOf(from, to), from).not.toBe(print);
  }
});

test('without a file the environment is the configuration, and no archives are configured', async () => {
  const config = await loadServices(undefined, {
    ARGUS_DB_HOST: 'h',
    BACKUP_DIR: '/b',
    RESTORE_DATABASE_URL: 'postgres://u:p@h/shop',
  });
  expect(config.path).toBe('the environment');
  expect(config.services.map(({ name }) => name)).toEqual(['argus', 'shop']);
  expect(findService(config, 'default').name).toBe('shop');
  expect(findService(config, null).name).toBe('shop');
  expect(() => findDatabase(config, 'shop')).toThrow(
    expect.objectContaining({ hint: expect.stringContaining('No archives are configured') }),
  );
});

test('without file and services it says both', async () => {
  await expect(loadServices(undefined, {})).rejects.toMatchObject({
    code: 'ConfigInvalid',
    message: 'no configuration file is named, and the environment has no service',
  });
});

test('services of the file beat those of the environment, which beat databases of the file', async () => {
  const path = join(await folder(), 'config.yaml');
  await writeFile(path, configText({ rest: services }));
  const config = await loadServices(path, {
    SHOP_DB_HOST: 'other',
    D_DB_HOST: 'other',
    RESTORE_DATABASE_URL: 'postgres://u@byurl/argus',
    DATABASE_URL: 'postgres://u@no/no',
  });
  expect(config.services.map(({ name, connection }) => [name, connection.host])).toEqual([
    ['argus', 'db1'],
    ['shop', 'db2'],
    ['d', 'other'],
  ]);
  expect(config.databases).toHaveLength(1);
  // The one that the URL names is the default one, whoever configures it.
  expect(findService(config, null).connection.host).toBe('db1');
});

test('faults of the environment are told, each on a line', async () => {
  await expect(
    loadServices(undefined, { ARGUS_DB_PORT: 'x', RESTORE_DATABASE_URL: 'nothing' }),
  ).rejects.toMatchObject({
    code: 'ConfigInvalid',
    object: 'ARGUS_DB_PORT',
    message: expect.stringMatching(/^ARGUS_DB_PORT: .*\nRESTORE_DATABASE_URL: .*$/),
  });
});

test('a .env file is read where the environment says nothing: that of the folder, else that above', async () => {
  const above = await folder();
  const below = join(above, 'backup');
  await mkdir(below);
  await writeFile(
    join(above, '.env'),
    '\ufeff# of the scripts\nexport ARGUS_DB_PASSWORD="p # q"\nARGUS_DB_USER=up\n',
  );
  const env = { ARGUS_DB_USER: 'real' };
  expect(await withDotenv(env, below)).toEqual({ ARGUS_DB_PASSWORD: 'p # q', ARGUS_DB_USER: 'real' });
  await writeFile(join(below, '.env'), "ARGUS_DB_PASSWORD='own'\r\n");
  expect(await withDotenv(env, below)).toEqual({ ARGUS_DB_PASSWORD: 'own', ARGUS_DB_USER: 'real' });
  expect(await withDotenv(env, join(below, 'none', 'none'))).toBe(env);
});
