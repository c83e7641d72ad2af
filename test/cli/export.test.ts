import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { raw } from '../harness/archive-writer.ts';
import { createFolderSite, type FolderSite } from './folder-site.ts';

let site: FolderSite;
beforeAll(async () => {
  site = await createFolderSite();
});
afterAll(() => site.remove());

let batch = 0;
const at = () => ({
  database: 'app',
  table: 'items',
  archivedAt: '2026-01-04T05:20:21+00:00',
  batch: ++batch,
});

/** `table_schema` of the metadata, as far as it matters here. */
function schema(types: Readonly<Record<string, readonly [dataType: string, udtName: string]>>) {
  const columns = Object.entries(types).map(([name, [data_type, udt_name]]) => ({
    name,
    data_type,
    udt_name,
  }));
  return { columns };
}

describe('thaw export', () => {
  it('gives records byte for byte, without the columns of the archiver', async () => {
    const rows = [
      {
        id: raw('12345678901234567890'),
        price: raw('1.10'),
        nan: raw('NaN'),
        text: 'ü\u2028"\\',
        none: null,
      },
      { id: 2, price: raw('1e-07'), nan: raw('-Infinity'), text: '', none: null },
      {},
    ];
    const { key } = await site.archive({ ...at(), rows });
    const { exitCode, stdout } = await site.thaw('export', key);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      '{"id": 12345678901234567890, "price": 1.10, "nan": NaN, "text": "ü\u2028\\"\\\\", "none": null}\n' +
        '{"id": 2, "price": 1e-07, "nan": -Infinity, "text": "", "none": null}\n{}\n',
    );
  });

  it('is the archive itself, but for those columns', async () => {
    const shop = await createFolderSite('shop');
    try {
      const key =
        'archives/shop_db/orders/year=2026/month=01/day=04/orders_20260104T070000Z_batch_001.jsonl.gz';
      const { stdout } = await shop.thaw('export', key);
      const archived = gunzipSync(await readFile(path.join(shop.folder, key))).toString();
      expect(stdout).toBe(`${archived.replaceAll(/, "_archived_at": .*\}$/gm, '}')}\n`);
    } finally {
      await shop.remove();
    }
  });

  it('tells NULL from the empty string, and quotes what must be quoted', async () => {
    const rows = [
      { id: 1, text: '', other: null },
      { id: 2, text: 'a,"b"\nc\t\\', other: '\\.' },
    ];
    const { key } = await site.archive({ ...at(), rows });
    expect((await site.thaw('export', key, '--format', 'csv')).stdout).toBe(
      'id,text,other\n1,"",\n2,"a,""b""\nc\t\\","\\."\n',
    );
    expect((await site.thaw('export', key, '--format', 'copy')).stdout).toBe(
      '1\t\t\\N\n2\ta,"b"\\nc\\t\\\\\t\\\\.\n',
    );
  });

  it('writes values as PostgreSQL reads them, by the schema of the run', async () => {
    const tableSchema = schema({
      id: ['bigint', 'int8'],
      bytes: ['bytea', 'bytea'],
      doc: ['jsonb', 'jsonb'],
      list: ['ARRAY', '_text'],
      bits: ['bit varying', 'varbit'],
      span: ['int4range', 'int4range'],
      gone: ['text', 'text'],
    });
    await site.archive({ ...at(), table: 'typed', tableSchema, rows: [{ id: 0 }] });
    const row = {
      ...{ id: 1, bytes: '3q2+7w==', doc: '{"a": [1]}', list: ['x', null, 'y"'] },
      ...{ bits: '<BitString 101>', span: '<Range [1, 5)>' },
    };
    const { key } = await site.archive({ ...at(), table: 'typed', rows: [row] });
    expect((await site.thaw('export', key, '--format', 'copy')).stdout).toBe(
      '1\t\\\\xdeadbeef\t{"a": [1]}\t{"x",NULL,"y\\\\""}\t101\t["1","5")\t\\N\n',
    );
  });

  it('leaves JSON as it is where nothing tells the type', async () => {
    const { key } = await site.archive({
      ...at(),
      table: 'untyped',
      rows: [{ id: 1, doc: { a: [1, raw('2.50')] }, list: [1, 2] }],
    });
    expect((await site.thaw('export', key, '--format', 'csv')).stdout).toBe(
      'id,doc,list\n1,"{""a"": [1, 2.50]}","[1, 2]"\n',
    );
  });

  it('begins a file anew when JSON turns out to be nested, and refuses to on standard output', async () => {
    const tableSchema = schema({ id: ['bigint', 'int8'], doc: ['jsonb', 'jsonb'] });
    const long = Array.from({ length: 2000 }, (_, id) => ({ id, doc: `"${'x'.repeat(200)}"` }));
    const rows = [...long, { id: 3000, doc: { a: 1 } }];
    const { key } = await site.archive({ ...at(), table: 'nested', tableSchema, rows });
    const file = path.join(site.folder, 'nested.copy');
    expect((await site.thaw('export', key, '--format', 'copy', '-o', file)).exitCode).toBe(0);
    const lines = (await readFile(file, 'utf8')).split('\n');
    expect(lines).toHaveLength(2002);
    expect(lines[0]).toBe(`0\t"\\\\"${'x'.repeat(200)}\\\\""`);
    expect(lines[2000]).toBe('3000\t{"a": 1}');
    const piped = await site.thaw('export', key, '--format', 'copy');
    expect(piped.exitCode).not.toBe(0);
    expect(piped.stderr).toContain('hint: Export to a file with --output');
  });

  it('gives all archives of a table in archive order, within dates', async () => {
    const shop = await createFolderSite('shop');
    try {
      const ids = async (...flags: string[]) => {
        const { stdout } = await shop.thaw('export', '--table', 'orders', ...flags);
        return stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line).order_id as number);
      };
      const all = await ids();
      expect(all).toHaveLength(300);
      expect(all.slice(60, 240)).toEqual(Array.from({ length: 180 }, (_, index) => index + 1));
      expect(await ids('--start-date', '2026-01-20')).toEqual(all.slice(239));
    } finally {
      await shop.remove();
    }
  });
});

it('needs to be told what to export', async () => {
  expect(await site.thaw('export')).toEqual({
    exitCode: 1,
    stdout: '',
    stderr: expect.stringMatching(/^InputInvalid: archives, or one --table, are required\nhint: .*\n$/),
  });
});

it('leaves columns out that are named', async () => {
  const rows = [{ id: 1, twice: 2, name: 'a' }];
  const { key } = await site.archive({ ...at(), rows });
  const without = async (...flags: string[]) =>
    (await site.thaw('export', key, '--without', 'twice', ...flags)).stdout;
  expect(await without()).toBe('{"id": 1, "name": "a"}\n');
  expect(await without('--format', 'csv')).toBe('id,name\n1,a\n');
});

describe('an archive that is not what was archived', () => {
  const rows = Array.from({ length: 100 }, (_, id) => ({ id, text: `row ${id}` }));

  it.each([
    ['flipped-byte', 'ChecksumMismatch'],
    ['truncated', 'ChecksumMismatch'],
    ['jsonl-sha256', 'ChecksumMismatch'],
    ['record-count', 'CountMismatch'],
  ] as const)('%s: fails loudly, and leaves no file', async (corrupt, code) => {
    const { key } = await site.archive({ ...at(), rows, corrupt });
    const piped = await site.thaw('export', key);
    expect(piped.exitCode).toBe(2);
    expect(piped.stderr).toContain('What was written is not verified: do not use it.\n');
    expect(piped.stderr).toContain(`${code}: ${key}`);

    const file = path.join(site.folder, 'out.jsonl');
    const written = await site.thaw('export', key, '-o', file);
    expect(written.exitCode).toBe(2);
    expect((await readdir(site.folder)).filter((name) => name.startsWith('out'))).toEqual([]);
  });

  it('without metadata is said to be unverified', async () => {
    const { key } = await site.archive({ ...at(), rows, corrupt: 'no-metadata' });
    const { exitCode, stderr } = await site.thaw('export', key);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(`Note: ${key}: it has no metadata, so it was not verified.`);
  });
});

it('writes only to files', async () => {
  const { key } = await site.archive({ ...at(), rows: [{ id: 1 }] });
  for (const place of ['/dev/null', site.folder, '/nowhere/out.csv']) {
    const { exitCode, stderr } = await site.thaw('export', key, '-o', place);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`InputInvalid: --output: ${place} cannot be written`);
  }
});

it('takes the archives of one schema where several share a folder', async () => {
  const site = await createFolderSite();
  try {
    const keys: string[] = [];
    for (const [id, schema] of ['public', 'sales', 'public'].entries()) {
      const at = { archivedAt: '2026-01-04T05:20:21+00:00', batch: id + 1, rows: [{ id }] };
      keys.push((await site.archive({ database: 'app', table: 'items', schema, ...at })).key);
      // A table that is not configured: nothing says which is meant.
      await site.archive({ database: 'app', table: 'others', schema, ...at });
    }
    const configured = await site.thaw('export', '--table', 'items');
    expect(configured.stdout).toBe('{"id": 0}\n{"id": 2}\n');
    expect(configured.stderr).toContain('Note: 1 archive belongs to the table of this name in schema sales');
    expect((await site.thaw('export', '--table', 'others', '--schema', 'sales')).stdout).toBe('{"id": 1}\n');
    const unsaid = await site.thaw('export', '--table', 'others');
    expect(unsaid).toMatchObject({ exitCode: 1, stdout: '' });
    expect(unsaid.stderr).toContain(
      'InputInvalid: --schema: archives of several schemas lie there: public, sales',
    );
    expect((await site.thaw('export', ...keys)).stdout).toBe('{"id": 0}\n{"id": 1}\n{"id": 2}\n');
    await site.drop(keys[2]?.replace('.jsonl.gz', '.metadata.json') ?? '');
    expect((await site.thaw('export', '--table', 'items')).stderr).toContain('MetadataInvalid: ');
  } finally {
    await site.remove();
  }
});
