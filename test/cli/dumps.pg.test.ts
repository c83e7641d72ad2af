import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeFault, writeProof } from '../../src/postgres/dump-proofs.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { thawHere } from './thaw-here.ts';

const plain = `--
-- PostgreSQL database dump
--

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18

`;

let database: TestDatabase;
let root: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  database = await createTestDatabase('dumps');
  root = await mkdtemp(join(tmpdir(), 'thaw-dumps-'));
  const dumps = join(root, 'dumps');
  await mkdir(dumps);
  const files = {
    'shop-2025-12-01T02-00-00Z.sql.gz': gzipSync(plain),
    'shop-2025-12-02T02-00-00Z.dump': plain,
    'shop-2025-12-03T02-00-00Z.dump.gpg': Buffer.from('8c0d04070302', 'hex'),
    'shop-2025-12-03T02-00-00Z.dump.gpg.md5': 'x',
    'shop.dump': '',
    'argus_20251204_020000.sql.gz': gzipSync(plain),
  };
  for (const [name, body] of Object.entries(files)) {
    await writeFile(join(dumps, name), body);
    await utimes(join(dumps, name), new Date(), new Date('2025-12-09T00:00:00Z'));
  }
  const { host, port, user, password, name } = database;
  const connection = { host, port, user, password, database: name, maintenance_database: name };
  const config = join(root, 'config.yaml');
  const shop = { name: 'shop', ...connection, dumps: { folder: 'dumps' } };
  const none = { ...shop, name: 'none', file_prefix: 'nightly', port: 1 };
  const down = { ...shop, name: 'down', file_prefix: 'shop', port: 1 };
  await writeFile(config, JSON.stringify({ version: '1.0', services: [shop, none, down] }));
  env = { THAW_CONFIG: config };
});

afterAll(async () => {
  await rm(root, { recursive: true });
  await database.drop();
});

interface Listed {
  readonly total: number;
  readonly dumps: readonly { readonly key: string; readonly etag: string; readonly ageSeconds: number }[];
}

async function listed(...args: string[]): Promise<Listed> {
  const { exitCode, stdout } = await thawHere(['dumps', 'shop', '--json', ...args], env);
  expect(exitCode).toBe(0);
  return JSON.parse(stdout);
}

it('lists the dumps of a service, the newest first, with what is known of each', async () => {
  const client = await database.client();
  const before = await thawHere(['dumps', 'shop'], env);
  expect(before).toMatchObject({ exitCode: 0, stderr: '' });
  expect(before.stdout).toMatch(
    /2025-12-02T02:00:00Z +\d+ (?:h|d) +\d+ B +plain +15\.18 +- +shop-2025-12-02T02/,
  );
  const { dumps } = await listed();
  const proved = dumps.find(({ key }) => key.endsWith('.sql.gz'));
  if (proved === undefined) throw new Error('the dump is not listed');
  await ensureSchema(client);
  const part = { tables: [], schemas: [], sections: [], dataOnly: false, schemaOnly: false, clean: false };
  const ref = { key: proved.key, etag: proved.etag, bytes: 1, modifiedAt: '', takenAt: null };
  const none = { dumpVersion: null, dropsTables: false, database: null, tables: 0, rows: null, bytes: 0 };
  const lists = { extensions: [], roles: [], notices: [] };
  const proof = {
    dump: ref,
    format: 'plain',
    compression: 'gzip',
    serverVersion: null,
    ...none,
    ...lists,
  } as const;
  await writeProof(client, `file://${root}/dumps`, { proof, tables: [], toc: null });
  await client.query(
    `insert into thaw.dump_restores (restore_id, service, database, mode, key, etag, request, state, outcome, ended_at)
     values ('r', 'shop', 'shop', 'swap', $1, $2, $3, 'completed', '{"report": {"outcome": "verified"}}', now())`,
    [dumps[1]?.key, dumps[1]?.etag, JSON.stringify({ part })],
  );
  const encrypted = { key: dumps[0]?.key ?? '', etag: dumps[0]?.etag ?? '' };
  await writeFault(client, `file://${root}/dumps`, encrypted, 'ArchiveCorrupt');
  const { stdout, stderr } = await thawHere(['dumps', 'shop'], env);
  expect(stderr).toBe('');
  expect(
    stdout
      .replaceAll(/ +/g, ' ')
      .replaceAll(/ \d+ (?:min|h|d) /g, ' AGO ')
      .split('\n'),
  ).toEqual([
    'TAKEN AGE SIZE FORMAT SERVER VERIFIED KEY',
    '2025-12-03T02:00:00Z AGO 6 B an OpenPGP message (encrypted by gpg) - bad shop-2025-12-03T02-00-00Z.dump.gpg',
    `2025-12-02T02:00:00Z AGO ${plain.length} B plain 15.18 verified shop-2025-12-02T02-00-00Z.dump`,
    `2025-12-01T02:00:00Z AGO ${gzipSync(plain).length} B plain, gzip 15.18 proved shop-2025-12-01T02-00-00Z.sql.gz`,
    '2025-12-09T00:00:00Z? AGO 0 B an empty file - - shop.dump',
    `4 dumps of shop in file://${root}/dumps, ${6 + plain.length + gzipSync(plain).length} B`,
    '',
  ]);
});

it('gives one JSON object, with as many as asked for of the time asked for', async () => {
  const all = await listed();
  expect(all.total).toBe(4);
  expect(all.dumps[2]).toEqual({
    key: 'shop-2025-12-01T02-00-00Z.sql.gz',
    bytes: gzipSync(plain).length,
    etag: expect.stringMatching(/./),
    takenAt: '2025-12-01T02:00:00.000Z',
    modifiedAt: '2025-12-09T00:00:00.000Z',
    ageSeconds: expect.any(Number),
    storageClass: null,
    compression: 'gzip',
    format: 'plain',
    foreign: null,
    serverVersion: '15.18',
    provedAt: expect.stringMatching(/Z$/),
    fault: null,
    verifiedAt: null,
  });
  const age = (Date.now() - Date.UTC(2025, 11, 1, 2)) / 1000;
  expect(Math.abs((all.dumps[2]?.ageSeconds ?? 0) - age)).toBeLessThan(60);
  const keys = async (...args: string[]) => (await listed(...args)).dumps.map(({ key }) => key);
  expect(await keys('--limit', '1')).toEqual(['shop-2025-12-03T02-00-00Z.dump.gpg']);
  expect((await listed('--limit', '1')).total).toBe(4);
  expect(await keys('--before', '2025-12-02T12:00:00Z', '--limit', '0')).toEqual([
    'shop-2025-12-02T02-00-00Z.dump',
    'shop-2025-12-01T02-00-00Z.sql.gz',
  ]);
});

it('lists them also where the server is down, and says what it does not know', async () => {
  const { exitCode, stdout, stderr } = await thawHere(['dumps', 'down', '--limit', '1'], env);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('shop-2025-12-03T02-00-00Z.dump.gpg');
  expect(stdout).toContain('; 1 shown (--limit)');
  expect(stderr).toMatch(/^Note: which of them were verified is not known: /);
});

it('says where it looked and for what names where there are none', async () => {
  expect(await thawHere(['dumps', 'none'], env)).toEqual({
    exitCode: 0,
    stdout:
      `No dumps of none in file://${root}/dumps\n` +
      'Names begin with nightly, then - or _ and a time; 6 other objects lie there.\n',
    stderr: '',
  });
});

it('asks for the service where there are several, and says which', async () => {
  const several = await thawHere(['dumps'], env);
  expect(several.exitCode).toBe(1);
  expect(several.stderr).toContain('no service is named, and there are several');
  expect(several.stderr).toContain('Name one of shop, none, down');
  expect((await thawHere(['dumps', 'shop', '--before', 'yesterday'], env)).stderr).toContain(
    'It must be a time such as 2026-01-04T05:20:21Z, or a day.',
  );
});

it('works with the environment alone', async () => {
  const { host, port, user, password } = database;
  const { stdout } = await thawHere(['dumps', 'argus', '--json'], {
    ARGUS_DB_HOST: host,
    ARGUS_DB_PORT: `${port}`,
    ARGUS_DB_USER: user,
    ARGUS_DB_PASSWORD: password,
    BACKUP_DIR: join(root, 'dumps'),
  });
  expect(JSON.parse(stdout)).toMatchObject({
    service: 'argus',
    database: 'argus_db',
    dumps: [{ key: 'argus_20251204_020000.sql.gz', format: 'plain' }],
  });
});
