import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { raw } from '../harness/archive-writer.ts';
import { createFolderSite, type FolderSite } from './folder-site.ts';
import { ThawCommand } from './thaw-command.ts';

const sites: FolderSite[] = [];
async function site(...args: Parameters<typeof createFolderSite>): Promise<FolderSite> {
  const made = await createFolderSite(...args);
  sites.push(made);
  return made;
}
afterAll(async () => {
  for (const each of sites) await each.remove();
});

const rows = [1, 2, 3].map((id) => ({ id, name: `n ${id}` }));
const at = (batch: number) => ({
  database: 'app',
  table: 'items',
  archivedAt: '2026-01-04T05:20:21+00:00',
  batch,
});

describe('real archives', () => {
  it.each(['audit-logs', 'shop', 'type-zoo', 'edge'] as const)('%s is valid, row for row', async (set) => {
    const { exitCode, stdout } = await (await site(set)).thaw('validate', '--level', 'rows');
    expect(stdout).toMatch(/^Valid$/m);
    expect(exitCode).toBe(0);
  });

  it('is told in the documented form', async () => {
    const shop = await site('shop');
    const { exitCode, stdout } = await shop.thaw(
      'validate',
      '--database',
      'shop_db',
      '--output-format',
      'json',
    );
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      total_archives: 12,
      valid_archives: 12,
      invalid_archives: 0,
      orphaned_files: [],
      missing_metadata: [],
      checksum_failures: [],
      record_count_mismatches: [],
      errors: [],
      is_valid: true,
    });
  });

  it('names archives whose rows were perhaps never deleted, and finds nothing wrong with them', async () => {
    const { stdout } = await (await site('shop')).thaw('validate', '--table', 'orders');
    expect(stdout).toContain('orders_20260104T061001Z_batch_001.jsonl.gz: it has no deletion manifest');
    expect(stdout).toContain('  Records: 300\n');
  });
});

describe('damage', () => {
  let damaged: FolderSite;
  const key: Record<string, string> = {};
  beforeAll(async () => {
    damaged = await site();
    const kinds = [
      'flipped-byte',
      'truncated',
      'record-count',
      'jsonl-sha256',
      'compressed-sha256',
      'no-metadata',
    ] as const;
    for (const [index, corrupt] of kinds.entries()) {
      key[corrupt] = (await damaged.archive({ ...at(index + 1), rows, corrupt })).key;
    }
    key.good = (await damaged.archive({ ...at(7), rows })).key;
    const lost = await damaged.archive({ ...at(8), rows });
    await damaged.drop(lost.key);
    key.lostMetadata = lost.metadataKey;
    key.lostManifest = lost.manifestKey;
  });

  const validate = async (...flags: string[]) => {
    const end = await damaged.thaw('validate', '--output-format', 'json', ...flags);
    return { exitCode: end.exitCode, report: JSON.parse(end.stdout) };
  };

  it('is found by reading: every kind, and nothing else', async () => {
    const { exitCode, report } = await validate();
    expect(exitCode).toBe(1);
    expect(report).toMatchObject({
      total_archives: 7,
      valid_archives: 1,
      invalid_archives: 6,
      orphaned_files: [key.lostManifest, key.lostMetadata],
      missing_metadata: [key['no-metadata']],
      checksum_failures: [key['flipped-byte'], key.truncated, key['jsonl-sha256'], key['compressed-sha256']],
      record_count_mismatches: [key['record-count']],
      is_valid: false,
    });
    const errors = report.errors as { file: string; error: string }[];
    expect(
      errors.filter(({ file }) => file === key.truncated).map(({ error }) => error.split(':')[0]),
    ).toEqual(['ArchiveCorrupt', 'ChecksumMismatch']);
    expect(errors.map(({ file }) => file)).not.toContain(key.good);
  });

  it('of pairs is found by listing alone', async () => {
    const { exitCode, report } = await validate('--level', 'listed');
    expect(exitCode).toBe(1);
    expect(report).toMatchObject({
      orphaned_files: [key.lostManifest, key.lostMetadata],
      invalid_archives: 1,
    });
    expect(report.missing_metadata).toEqual([key['no-metadata']]);
  });

  it('of the size is found without reading the data', async () => {
    const { report } = await validate('--level', 'metadata');
    const files = (report.errors as { file: string }[]).map(({ file }) => file);
    expect(files).toEqual([key.truncated, key['no-metadata']]);
  });

  it('is passed over where the flags say so', async () => {
    const { report } = await validate('--no-validate-checksum', '--no-validate-record-count');
    expect(report).toMatchObject({ checksum_failures: [], record_count_mismatches: [], invalid_archives: 3 });
  });

  it('is told of one archive in its documented form', async () => {
    const good = await validate('--s3-key', key.good ?? '');
    expect(good).toEqual({
      exitCode: 0,
      report: { s3_key: key.good, valid: true, errors: [], warnings: [] },
    });
    const { exitCode, report } = await validate(
      '--s3-key',
      (key['record-count'] ?? '').replace('archives/', ''),
    );
    expect(exitCode).toBe(1);
    expect(report).toEqual({
      s3_key: key['record-count'],
      valid: false,
      errors: [`CountMismatch: ${key['record-count']}: it holds 3 records, and its metadata says 4.`],
      warnings: [],
    });
    expect((await validate('--s3-key', 'nope.jsonl.gz')).exitCode).toBe(1);
  });

  it('is told in words, each with a hint', async () => {
    const { exitCode, stdout } = await damaged.thaw('validate');
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`Invalid: ${key.truncated}\n  ArchiveCorrupt: `);
    expect(stdout).toContain(`Orphaned: ${key.lostMetadata}\n`);
    expect(stdout).toMatch(/ {2}Invalid: 6\n {2}Orphaned files: 2\n.*\n {2}Checksum failures: 4\n/);
    expect(stdout).toMatch(/\nInvalid\n$/);
  });
});

describe('metadata', () => {
  it('must be there, be JSON, and say what is needed', async () => {
    const { archive, put, thaw } = await site();
    const broken = await archive({ ...at(1), rows });
    await put(broken.metadataKey, '{ not JSON');
    const bare = await archive({ ...at(2), rows });
    const info = { batch_info: { database: 'app', table: 'items' }, data_info: {} };
    await put(bare.metadataKey, JSON.stringify(info));
    const { exitCode, stdout } = await thaw('validate', '--level', 'metadata', '--output-format', 'json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout).errors).toEqual([
      { file: broken.key, error: `MetadataInvalid: ${broken.metadataKey}: it is not JSON.` },
      { file: bare.key, error: `MetadataInvalid: ${bare.metadataKey}: checksums: missing.` },
      { file: bare.key, error: `MetadataInvalid: ${bare.metadataKey}: data_info.record_count: missing.` },
    ]);
  });
});

describe('rows', () => {
  it('must each be a record, which checksums alone do not tell', async () => {
    const { archive, thaw } = await site();
    const { key } = await archive({ ...at(1), rows: [{ id: 1, name: raw('tru') }, ...rows] });
    expect((await thaw('validate')).exitCode).toBe(0);
    const { exitCode, stdout } = await thaw('validate', '--level', 'rows', '--output-format', 'json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout).errors[0].error).toMatch(
      /^ArchiveCorrupt: Line 1, byte 21 of the decompressed archive/,
    );
    expect(JSON.parse(stdout).errors[0].file).toBe(key);
  });

  it('must be those that the manifest names', async () => {
    const { archive, put, folder, thaw } = await site();
    const written = await archive({ ...at(1), rows: [...rows, { id: 9007199254740993n, name: 'big' }] });
    expect((await thaw('validate', '--level', 'rows')).exitCode).toBe(0);

    const manifest = await readFile(path.join(folder, written.manifestKey), 'utf8');
    await put(written.manifestKey, manifest.replace('9007199254740993', '9007199254740992'));
    const { exitCode, stdout } = await thaw('validate', '--level', 'rows', '--output-format', 'json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      record_count_mismatches: [],
      errors: [
        {
          file: written.key,
          error: `CountMismatch: ${written.key}: its manifest disagrees: 1 records have keys that it does not name (the first in line 4), 1 keys that it names have no record.`,
        },
      ],
    });
  });

  it('agree with keys that the manifest has as text', async () => {
    const { archive, put, folder, thaw } = await site();
    const moments = [{ id: '2026-01-02T03:04:05.120000+00:00' }, { id: null }, { id: 'a\tb\\' }];
    const written = await archive({ ...at(1), rows: moments });
    const manifest = await readFile(path.join(folder, written.manifestKey), 'utf8');
    await put(written.manifestKey, manifest.replace('2026-01-02T03', '2026-01-02 03'));
    expect((await thaw('validate', '--level', 'rows')).stdout).toMatch(/^Valid$/m);
  });
});

describe('what is looked at', () => {
  it('is nothing, which is valid', async () => {
    const { thaw } = await site();
    expect(await thaw('validate', '--output-format', 'json')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('"total_archives":0'),
    });
  });

  it('is a period by days and by seconds, with what belongs to its archives', async () => {
    const { thaw } = await site('shop');
    const total = async (...flags: string[]) => {
      const { stdout } = await thaw(
        'validate',
        '--table',
        'orders',
        '--level',
        'listed',
        '--output-format',
        'json',
        ...flags,
      );
      const { total_archives, is_valid } = JSON.parse(stdout);
      return { total_archives, is_valid };
    };
    expect(await total('--start-date', '2026-01-05')).toEqual({ total_archives: 2, is_valid: true });
    expect(await total('--end-date', '2026-01-04')).toEqual({ total_archives: 4, is_valid: true });
    expect(await total('--end-date', '2026-01-04T06:30:00')).toEqual({ total_archives: 1, is_valid: true });
  });

  it('must be configured, and dates must be dates', async () => {
    const { thaw } = await site();
    const unknown = await thaw('validate', '--database', 'nope');
    expect(unknown).toMatchObject({ exitCode: 1, stdout: '' });
    expect(unknown.stderr).toContain('InputInvalid: database "nope" is not in the configuration');
    const date = await thaw('validate', '--start-date', 'tomorrow');
    expect(date.exitCode).toBe(1);
    expect(date.stderr).toContain('It must be a day, such as 2026-01-31');
  });
});

it('ends with 130 when it is interrupted', async () => {
  // A store that never answers.
  const server = createServer();
  const asked = once(server, 'request');
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { folder, env } = await site();
  const config = path.join(folder, 'config.yaml');
  await writeFile(
    config,
    `{ version: "1.0", s3: { endpoint: "http://127.0.0.1:${port}", bucket: b }, databases: [{ name: app, host: h, user: u, password: p, tables: [{ name: t }] }] }`,
  );
  const keys = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' };
  const command = new ThawCommand(['validate', '--config', config], { ...env, ...keys });
  try {
    await asked;
    command.kill('SIGINT');
    expect(await command.ended()).toEqual({
      exitCode: 130,
      stdout: '',
      stderr: 'Interrupted: not everything was looked at.\n',
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
