import { expect, test } from 'vitest';
import type { SnapshotManifest } from '../../src/contract/snapshot.ts';
import { digestOfParts, manifestText, parseManifest } from '../../src/snapshot/container/manifest.ts';
import { partMetadataName, partName, snapshotFolder } from '../../src/snapshot/container/snapshot-keys.ts';

const tables: SnapshotManifest['tables'] = [
  {
    schema: 'shop',
    table: 'Order.Lines',
    kind: 'table',
    key: ['id'],
    columns: [
      { name: 'id', type: 'integer', notNull: true, default: null, identity: 'always', generated: null },
      { name: 'twice', type: 'integer', notNull: false, default: null, identity: null, generated: 'stored' },
    ],
    foreignKeys: [
      {
        name: 'lines_order',
        definition: 'FOREIGN KEY ("order") REFERENCES shop.orders(id)',
        columns: ['order'],
        referenced: { schema: 'shop', table: 'orders' },
        referencedColumns: ['id'],
        deferrable: false,
        validated: true,
      },
    ],
    rows: 3,
    bytes: 90,
    parts: [
      {
        ...{ key: 'shop.Order%2ELines/part-0001.jsonl.gz', rows: 3, bytes: 90 },
        ...{ sha256: 'a'.repeat(64), jsonlSha256: 'b'.repeat(64) },
      },
    ],
  },
];

const manifest: SnapshotManifest = {
  ...{ version: '1.0', encoding: 'pg-text', settings: { datestyle: 'ISO' }, id: 'one', name: 'before' },
  ...{ type: 'manual', createdAt: '2026-01-02T03:04:05.123Z', createdBy: 'ada', expiresAt: null },
  ...{ database: 'shop', serverVersion: '16.4', walLsn: '0/16B3748', xactSnapshot: '10:12:10,11' },
  ...{ tables, totalRows: 3, bytes: 90 },
  ...{ tenant: { column: 'tenant_id', value: "o'hara" }, sha256: digestOfParts(tables) },
};

test('a manifest is read as it was written', () => {
  const written = manifestText(manifest);
  expect(parseManifest(Buffer.from(written), 'm')).toEqual(manifest);
  expect(JSON.parse(written)).toMatchObject({ created_by: 'ada', total_rows: 3, wal_lsn: '0/16B3748' });
});

test.each([
  ['no JSON', '{', 'it is not JSON'],
  ['another version', manifestText(manifest).replace('"1.0"', '"2.0"'), 'version'],
  ['a part exchanged', manifestText(manifest).replaceAll('a'.repeat(64), 'c'.repeat(64)), 'sha256'],
  [
    'a part elsewhere',
    manifestText(manifest).replace('shop.Order%2ELines/', '../../'),
    'tables.0.parts.0.key',
  ],
  ['rows left out of a table', manifestText({ ...manifest, totalRows: 4 }), 'total_rows'],
])('%s is refused, and told', (_what, text, told) => {
  expect(() => parseManifest(Buffer.from(text), 'm')).toThrow(
    expect.objectContaining({ code: 'MetadataInvalid', message: expect.stringContaining(told) }),
  );
});

test('names of tables are one folder each, whatever is in them', () => {
  const part = partName({ schema: 'a/b', table: '../c.d' }, 12);
  expect(part).toBe('a%2Fb.%2E%2E%2Fc%2Ed/part-0012.jsonl.gz');
  expect(partMetadataName(part)).toBe('a%2Fb.%2E%2E%2Fc%2Ed/part-0012.metadata.json');
  expect([snapshotFolder('', 'x'), snapshotFolder('p/', 'x')]).toEqual(['snapshots/x/', 'p/snapshots/x/']);
});
