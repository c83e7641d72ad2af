import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parseMetadata } from '../../src/archive/metadata.ts';
import { fixtureObjects } from '../harness/fixture.ts';

const key = 'P/db/t/x.metadata.json';
const digest = 'a8e2a14a948d56357a47dd25001fa3d2fd69bbb8ae0eb7b681a467378b1cc77f';

const minimal = {
  batch_info: { database: 'db', schema: 'sales', table: 't', batch_number: 7 },
  data_info: { record_count: 10, uncompressed_size_bytes: 300, compressed_size_bytes: 100 },
  checksums: { jsonl_sha256: digest, compressed_sha256: digest },
};

function parse(metadata: unknown) {
  return parseMetadata(Buffer.from(JSON.stringify(metadata)), key);
}

test('reads all that the archiver writes', async () => {
  const objects = await fixtureObjects('shop');
  const first = objects.find(({ key: name }) => /line_items_.*\.metadata\.json$/.test(name));
  const metadata = parseMetadata(await readFile(first?.file ?? ''), key);
  expect(metadata).toMatchObject({ database: 'shop_db', schema: 'public', table: 'line_items' });
  expect(metadata.recordCount).toBeGreaterThan(0);
  expect(metadata.jsonlSha256).toMatch(/^[0-9a-f]{64}$/);
  expect(metadata.tableSchema?.primaryKey?.columns.length).toBe(2);
  expect(metadata.tableSchema?.foreignKeys[0]).toMatchObject({ referencedTable: 'orders' });
  expect(metadata.tableSchema?.columns[0]).toMatchObject({ ordinal: 1, nullable: false });
});

test('reads every metadata object of the fixtures', async () => {
  for (const set of ['audit-logs', 'shop', 'type-zoo', 'edge'] as const) {
    for (const { key: name, file } of await fixtureObjects(set)) {
      if (!name.endsWith('.metadata.json')) continue;
      expect(parseMetadata(await readFile(file), name).recordCount).toBeGreaterThan(0);
    }
  }
});

test('needs no more than where the archive is from and what is in it', () => {
  expect(parse({ batch_info: { database: 'db', table: 't' }, data_info: {} })).toEqual({
    database: 'db',
    schema: 'public',
    table: 't',
    batchNumber: null,
    recordCount: null,
    uncompressedBytes: null,
    compressedBytes: null,
    jsonlSha256: null,
    compressedSha256: null,
    timestampRange: { min: null, max: null },
    tableSchema: null,
  });
});

test("takes the other names that the archiver's reader takes", () => {
  const columns = [
    { name: 'b', type: 'text', nullable: false },
    { name: 'a', data_type: 'integer' },
  ];
  const parsed = parse({
    batch_info: { database_name: 'db', table_name: 't' },
    data_info: { record_count: 1, total_size_bytes: 5, compression: 'gzip' },
    checksums: { jsonl_sha256: `sha256:${digest.toUpperCase()}` },
    schema: { columns, primary_key: ['b'] },
  });
  expect(parsed).toMatchObject({ database: 'db', table: 't', jsonlSha256: digest, compressedSha256: null });
  expect(parsed.tableSchema?.columns).toMatchObject([
    { name: 'b', dataType: 'text', nullable: false, ordinal: 1 },
    { name: 'a', dataType: 'integer', nullable: true, ordinal: 2 },
  ]);
  expect(parsed.tableSchema?.primaryKey).toEqual({ name: null, columns: ['b'] });
});

test('reads the flat form of version 2.0', () => {
  const flat = {
    version: '2.0',
    database: 'db',
    table: 't',
    batch_number: 3,
    date_range: { start: '2024-01-01T00:00:00Z', end: '2025-10-01T23:59:59Z' },
    record_count: 10,
    checksum: `sha256:${digest}`,
    file_size: { compressed: 100, uncompressed: 300 },
    schema: {
      columns: [{ name: 'id', type: 'bigint', nullable: false }],
      primary_key: ['id'],
      indexes: [{ name: 'by_id', columns: ['id'] }],
    },
  };
  expect(parse(flat)).toEqual({
    database: 'db',
    schema: 'public',
    table: 't',
    batchNumber: 3,
    recordCount: 10,
    uncompressedBytes: 300,
    compressedBytes: 100,
    jsonlSha256: digest,
    compressedSha256: null,
    timestampRange: { min: '2024-01-01T00:00:00Z', max: '2025-10-01T23:59:59Z' },
    tableSchema: expect.objectContaining({
      columns: [expect.objectContaining({ name: 'id', dataType: 'bigint', nullable: false })],
      primaryKey: { name: null, columns: ['id'] },
      indexes: [{ name: 'by_id', definition: null, columns: ['id'], unique: false }],
    }),
  });
  expect(parse({ ...flat, schema: 'sales' })).toMatchObject({ schema: 'sales', tableSchema: null });
  expect(() => parse({ ...flat, record_count: 'ten' })).toThrow('record_count');
});

test('reads what Python writes for floats that JSON does not have', () => {
  const text = JSON.stringify({
    ...minimal,
    primary_keys: { count: 4, sample: ['a'] },
    note: 'is "NaN", \\ Infinity',
  });
  const bytes = Buffer.from(text.replace('["a"]', '[NaN, -Infinity, Infinity, "-NaN\\""]'));
  expect(parseMetadata(bytes, key)).toMatchObject({ table: 't', recordCount: 10 });
  expect(() => parseMetadata(Buffer.from('{"batch_info": NaNs}'), key)).toThrow('it is not JSON');
});

test('takes a name at the place of the other schema for nothing', () => {
  expect(parse({ ...minimal, schema: 'public' }).tableSchema).toBeNull();
});

test.for([
  ['batch_info', { data_info: {} }],
  ['batch_info.table', { ...minimal, batch_info: { database: 'db' } }],
  ['data_info', { ...minimal, data_info: undefined }],
  ['data_info.record_count', { ...minimal, data_info: { record_count: '10' } }],
  ['data_info.record_count', { ...minimal, data_info: { record_count: -1 } }],
  ['checksums.jsonl_sha256', { ...minimal, checksums: { jsonl_sha256: 'abc' } }],
  ['table_schema.columns.0.data_type', { ...minimal, table_schema: { columns: [{ name: 'a' }] } }],
] as const)('names what is wrong: %s', ([field, metadata]) => {
  const message = `P/db/t/x.metadata.json: ${field}: `;
  expect(() => parse(metadata)).toThrow(
    expect.objectContaining({ code: 'MetadataInvalid', stage: 'metadata', object: key }),
  );
  expect(() => parse(metadata)).toThrow(message);
});

test('refuses what is not JSON, or no object', () => {
  for (const text of ['', '{"secret', '[]', 'null', '"x"']) {
    expect(() => parseMetadata(Buffer.from(text), key)).toThrow(
      expect.objectContaining({ code: 'MetadataInvalid' }),
    );
  }
});
