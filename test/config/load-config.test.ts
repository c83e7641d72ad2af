import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import type { ThawError } from '../../src/contract/thaw-error.ts';
import { archiverConfig, configText, parsed } from './example.ts';

function failure(text: string, env: NodeJS.ProcessEnv = {}): ThawError {
  try {
    parsed(text, env);
  } catch (error) {
    return error as ThawError;
  }
  throw new Error('the file was accepted');
}

test("reads the archiver's own file, with every default filled in", () => {
  const { services, ...config } = parsed(archiverConfig);
  expect(services.map(({ name }) => name)).toEqual(['production_db', 'shop_db']);
  expect(config).toEqual({
    path: '/etc/thaw/config.yaml',
    store: {
      kind: 's3',
      endpoint: null,
      bucket: 'archives-bucket',
      prefix: 'archives',
      region: 'eu-central-1',
      pathStyle: false,
      encryption: 'AES256',
      credentials: null,
    },
    databases: [
      {
        name: 'production_db',
        host: 'db.example.com',
        port: 5432,
        user: 'archiver',
        password: { env: 'DB_PASSWORD' },
        sslMode: 'prefer',
        sslRootCert: null,
        tables: [
          { name: 'audit_logs', schema: 'public', timestampColumn: 'created_at' },
          { name: 'events', schema: 'app', timestampColumn: 'at' },
        ],
      },
      {
        name: 'shop_db',
        host: 'shop.example.com',
        port: 6432,
        user: 'shop',
        password: { text: `$${'{SHOP_PASSWORD}'}` },
        sslMode: 'verify-full',
        sslRootCert: '/etc/thaw/ca.pem',
        tables: [{ name: 'orders', schema: 'public', timestampColumn: 'placed' }],
      },
    ],
    restoreWatermark: { enabled: true, storageType: 's3', updateAfterEachArchive: true },
    auditTrail: 's3',
  });
});

describe('the endpoint', () => {
  const aws = { AWS_ENDPOINT_URL_S3: 'http://env:1', AWS_ENDPOINT_URL: 'http://any:2' };
  test.each([
    ['set beats the environment', '{ bucket: b, endpoint: "http://file:3/" }', aws, 'http://file:3'],
    ['absent is that of the environment', '{ bucket: b }', aws, 'http://env:1'],
    ['null is that of the environment', '{ bucket: b, endpoint: null }', aws, 'http://env:1'],
    ['"" is AWS whatever the environment says', '{ bucket: b, endpoint: "" }', aws, null],
    ['absent without environment is AWS', '{ bucket: b }', {}, null],
    [
      'absent may be that of all services',
      '{ bucket: b }',
      { AWS_ENDPOINT_URL: 'http://any:2' },
      'http://any:2',
    ],
  ])('%s', (_, s3, env, endpoint) => {
    expect(parsed(configText({ s3 }), env).store).toMatchObject({ endpoint, pathStyle: endpoint !== null });
  });

  test('from a variable that is empty is AWS too', () => {
    const s3 = `{ bucket: b, endpoint: "$${'{S3_ENDPOINT:-}'}" }`;
    expect(parsed(configText({ s3 }), aws).store).toMatchObject({ endpoint: null });
  });

  test('asks for encryption only at AWS', () => {
    const encryptionOf = (s3: string) => {
      const { store } = parsed(configText({ s3 }));
      return store.kind === 's3' ? store.encryption : undefined;
    };
    expect(encryptionOf('{ bucket: b, encryption: SSE-KMS }')).toBe('aws:kms');
    expect(encryptionOf('{ bucket: b, encryption: none }')).toBeNull();
    expect(encryptionOf('{ bucket: b, endpoint: "http://x" }')).toBeNull();
  });
});

describe('a key of SSE-C', () => {
  const key = Buffer.alloc(32, 7).toString('base64');
  const encryption = { customerKey: key };
  test.each([
    ['in the file', `{ bucket: b, encryption: SSE-C, sse_customer_key: "${key}" }`, {}, encryption],
    ['in a variable', '{ bucket: b, encryption: SSE-C, sse_customer_key_env: K }', { K: key }, encryption],
    [
      'for another store than AWS',
      `{ bucket: b, endpoint: "https://x", encryption: SSE-C, sse_customer_key: "${key}" }`,
      {},
      encryption,
    ],
    [
      'that is not there is no encryption, as with the archiver',
      '{ bucket: b, encryption: SSE-C }',
      {},
      null,
    ],
  ])('%s', (_, s3, env, expected) => {
    expect(parsed(configText({ s3 }), env).store).toMatchObject({ encryption: expected });
  });

  const short = Buffer.alloc(31, 7).toString('base64');
  test.each([
    [`encryption: SSE-C, sse_customer_key: "${short}"`, 's3.sse_customer_key: must be 32 bytes in base64'],
    [
      `encryption: SSE-C, sse_customer_key: "${key}", endpoint: "http://x"`,
      's3.endpoint: must be https:// with encryption: SSE-C',
    ],
    [
      `sse_customer_key: "${key}", encryption: SSE-S3`,
      's3.sse_customer_key: goes with encryption: SSE-C only',
    ],
    [
      'encryption: SSE-C, sse_customer_key_env: NONE',
      's3.sse_customer_key_env: environment variable NONE is not set',
    ],
    [
      `sse_customer_key: "${key}", sse_customer_key_env: K`,
      's3.sse_customer_key: and sse_customer_key_env must not both be set',
    ],
    [`sse_customer_key: [${key}]`, 's3.sse_customer_key: '],
  ])('is refused, and not shown: %s', (line, message) => {
    const error = failure(configText({ s3: `{ bucket: b, ${line} }` }), { K: key });
    expect(error).toMatchObject({ code: 'ConfigInvalid', message: expect.stringContaining(message) });
    expect(`${error.message} ${error.hint}`).not.toMatch(/BwcH/);
  });
});

describe('access keys', () => {
  const keys = { accessKeyId: 'A', secretAccessKey: 'S' };
  test.each([
    '{ bucket: b, access_key_id: A, secret_access_key: S }',
    '{ bucket: b, aws_access_key_id: A, aws_secret_access_key: S }',
  ])('are taken by either name: %s', (s3) => {
    expect(parsed(configText({ s3 })).store).toMatchObject({ credentials: keys });
  });

  test('that are empty are none', () => {
    const s3 = '{ bucket: b, access_key_id: "", secret_access_key: "" }';
    expect(parsed(configText({ s3 })).store).toMatchObject({ credentials: null });
  });

  test('come in pairs, and are never shown', () => {
    const error = failure(configText({ s3: '{ bucket: b, secret_access_key: hunter2 }' }));
    expect(error.message).toBe('s3.access_key_id: is required where the other half of the key is set');
    expect(`${error.message} ${error.hint}`).not.toContain('hunter2');
  });
});

test('the region comes from the file, then from the environment', () => {
  const env = { AWS_REGION: 'eu-west-1' };
  expect(parsed(configText({ s3: '{ bucket: b, region: us-west-2 }' }), env).store).toMatchObject({
    region: 'us-west-2',
  });
  expect(parsed(configText(), env).store).toMatchObject({ region: 'eu-west-1' });
  expect(parsed(configText()).store).toMatchObject({ region: 'us-east-1' });
});

describe('a folder', () => {
  test.each([
    ['folder: ../archive', '/etc/archive'],
    ['folder: /srv/archive', '/srv/archive'],
    ['folder: file:///srv/my%20archive', '/srv/my archive'],
    ['folder: file:///srv/100%25%20sure%23/%C3%A9+', '/srv/100% sure#/é+'],
    ['folder: file://localhost/srv/archive', '/srv/archive'],
    ['folder: "/srv/100%25 é"', '/srv/100%25 é'],
  ])('%s', (rest, path) => {
    const text = configText({ rest }).replace('s3: { bucket: b }', 's3: { prefix: archives/ }');
    expect(parsed(text).store).toEqual({ kind: 'folder', path, prefix: 'archives' });
  });

  test('needs no section s3', () => {
    const text = configText({ rest: 'folder: /srv' }).replace('s3: { bucket: b }', '');
    expect(parsed(text).store).toEqual({ kind: 'folder', path: '/srv', prefix: '' });
  });
});

test('the watermark and the audit trail are set as the archiver sets them', () => {
  const rest = `
restore_watermark: { enabled: "no", storage_type: both, update_after_each_archive: "False" }
defaults: { audit_trail_storage_type: database }`;
  expect(parsed(configText({ rest }))).toMatchObject({
    restoreWatermark: { enabled: false, storageType: 'both', updateAfterEachArchive: false },
    auditTrail: 'database',
  });
});

test('an empty section is one of defaults', () => {
  expect(parsed(configText({ rest: 'restore_watermark:\ndefaults:\n' })).restoreWatermark.enabled).toBe(true);
});

test('merges YAML anchors, and reads an unquoted version', () => {
  const text = configText({
    rest: `
  - &d { name: e, host: h2, user: u, password_env: PW }
  - { <<: *d, name: f }`,
  }).replace('"1.0"', '2.0');
  expect(parsed(text).databases.map(({ name, host }) => `${name}@${host}`)).toEqual(['d@h', 'e@h2', 'f@h2']);
});

test('PGSSLMODE counts where the file says nothing', () => {
  expect(parsed(configText(), { PGSSLMODE: 'require' }).databases[0]?.sslMode).toBe('require');
  expect(failure(configText(), { PGSSLMODE: 'maybe' }).message).toMatch(
    /^PGSSLMODE: must be one of .* \(got "maybe"\)$/,
  );
});

describe('what is wrong is named', () => {
  const database = (more: string) =>
    configText({ database: `{ name: d, host: h, user: u, password_env: PW, ${more} }` });
  const wrong: readonly [text: string, message: string][] = [
    [configText().replace('"1.0"', '3'), 'version: must be 1.0 or 2.0 (got 3)'],
    [configText().replace('version: "1.0"', ''), 'version: is required'],
    [configText({ s3: '{}' }), 's3.bucket: is required'],
    [configText().replace('s3: { bucket: b }', ''), 's3: is required'],
    [configText({ s3: '{ bucket: [b] }' }), 's3.bucket: must be text (got a list)'],
    [
      configText({ s3: '{ bucket: b, endpoint: "localhost:9000" }' }),
      's3.endpoint: must be an http:// or https:// URL without user, query or fragment (got "localhost:9000")',
    ],
    [
      configText({ s3: '{ bucket: b, endpoint: "http://me:hunter2@x" }' }),
      's3.endpoint: must be an http:// or https:// URL without user, query or fragment (got "http://***@x")',
    ],
    [configText({ s3: 'bucket' }), 's3: must be a mapping of settings (got "bucket")'],
    [configText({ s3: '{ bucket: b, access_key_id: 12345 }' }), 's3.access_key_id: must be text'],
    [database('port: 70000'), 'databases[0].port: must be a whole number from 1 to 65535 (got 70000)'],
    [database('port: x'), 'databases[0].port: must be a whole number from 1 to 65535 (got "x")'],
    [
      database('sslmode: yes'),
      'databases[0].sslmode: must be disable, allow, prefer, require, verify-ca or verify-full (got "yes")',
    ],
    [
      database('password: hunter2'),
      'databases[0].password: only one of password_env and password may be set',
    ],
    [
      configText({ database: '{ name: d, host: h, user: u }' }),
      'databases[0].password: one of password_env and password is required',
    ],
    [
      configText({ database: '{ name: d, host: h, user: u, password: 12345 }' }),
      'databases[0].password: must be text',
    ],
    [
      configText({ database: '{ name: d, host: "postgres://u:hunter2@h", user: u, password_env: PW }' }),
      'databases[0].host: must be a host name, an address or a socket folder, not a URL (got "postgres://***@h")',
    ],
    [database('tables: [{ schema: x }]'), 'databases[0].tables[0].name: is required'],
    [
      configText({ rest: '  - { name: d, host: h, user: u, password_env: PW }' }),
      'databases[1].name: is there twice (got "d")',
    ],
    [
      'version: "1.0"\ns3: { bucket: b }\ndatabases: []',
      'databases: must name at least one database (got a list)',
    ],
    [
      configText({ rest: 'restore_watermark: { storage_type: redis }' }),
      'restore_watermark.storage_type: must be s3, database or both (got "redis")',
    ],
    [
      configText({ rest: 'restore_watermark: { enabled: maybe }' }),
      'restore_watermark.enabled: must be true or false (got "maybe")',
    ],
    ['- a list', 'the file: must be a mapping of settings (got a list)'],
    ['', 'the file: must be a mapping of settings'],
  ];
  test.each(wrong.map(([text, message]) => [message, text] as const))('%s', (message, text) => {
    const error = failure(text);
    expect(error).toMatchObject({ code: 'ConfigInvalid', message, hint: 'Correct /etc/thaw/config.yaml.' });
    expect(error.message).not.toContain('hunter2');
  });

  test('all of it at once, a line each', () => {
    const { message, object } = failure(configText({ s3: '{ bucket: 1 }', database: '{ name: d }' }));
    expect(message.split('\n')).toEqual([
      's3.bucket: must be text (got 1)',
      'databases[0].host: is required',
      'databases[0].user: is required',
    ]);
    expect(object).toBe('s3.bucket');
  });

  test('without the value of a variable, which may be a secret in the wrong place', () => {
    const text = configText({
      database: `{ name: d, host: h, port: "$${'{PORT}'}", user: u, password_env: PW }`,
    });
    const { message } = failure(text, { PORT: 'hunter2' });
    expect(message).toBe(`databases[0].port: must be a whole number from 1 to 65535 (got $${'{PORT}'})`);
  });

  test('a mistake of YAML by its line, without the line', () => {
    const { message } = failure('version: "1.0"\npassword: "hunter2\n');
    expect(message).toMatch(/^\/etc\/thaw\/config\.yaml:\d+: not valid YAML \(/);
    expect(message).not.toContain('hunter2');
  });
});

describe('variables', () => {
  test('that are missing are named with their place', () => {
    expect(failure(configText({ s3: `{ bucket: "$${'{BUCKET}'}" }` }))).toMatchObject({
      code: 'ConfigInvalid',
      message: 's3.bucket: environment variable BUCKET is not set',
      object: 's3.bucket',
    });
  });

  test('in sections that a restore does not read do not matter', () => {
    expect(parsed(configText({ rest: `notifications: { url: "$${'{MISSING}'}" }` })).databases).toHaveLength(
      1,
    );
  });
});

test('a file that is not there is named', async () => {
  await expect(loadConfig('/nowhere/config.yaml', {})).rejects.toMatchObject({
    code: 'ConfigInvalid',
    message: '/nowhere/config.yaml: cannot be read (ENOENT)',
  });
});

test('a relative folder is below the file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thaw-config-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'config.yaml');
  await writeFile(file, configText({ rest: 'folder: archive' }));
  expect(await loadConfig(file, {})).toMatchObject({ path: file, store: { path: join(folder, 'archive') } });
});
