import { expect, test } from 'vitest';
import { type DumpPart, wholeDump } from '../../../src/contract/dump-request.ts';
import { isWhole, restoredEntries, restoredTables } from '../../../src/dump/verify/restored-part.ts';

/** `KIND schema.name`, where `-` is no schema. */
const toc = [
  'SCHEMA -.shop',
  'EXTENSION -.hstore',
  'TABLE shop.a',
  'TABLE shop.a b',
  'TABLE other.a',
  'TABLE DATA shop.a',
  'SEQUENCE SET shop.a_id_seq',
  'CONSTRAINT shop.a a_pkey',
  'CONSTRAINT shop.a b a b_pkey',
  'INDEX shop.a_idx',
  'ROW SECURITY shop.a',
  'PUBLICATION -.p',
  'BLOB -.123',
].map((text) => {
  const [, kind = '', schema = '', name = ''] = /^([A-Z ]+) ([a-z-]+)\.(.*)$/.exec(text) ?? [];
  return { kind, schema: schema === '-' ? null : schema, name };
});

function entries(part: Partial<DumpPart>, options: readonly string[] = []): string[] {
  const restored = restoredEntries(toc, { part: { ...wholeDump, ...part }, options });
  return restored.map(({ kind, schema, name }) => `${kind} ${schema ?? '-'}.${name}`);
}

test('of a part only what it brings is expected', () => {
  expect(entries({})).toHaveLength(toc.length);
  expect(entries({ tables: ['shop.a'] })).toEqual([
    'TABLE shop.a',
    'TABLE DATA shop.a',
    'CONSTRAINT shop.a a_pkey',
    'ROW SECURITY shop.a',
  ]);
  expect(entries({ tables: ['a'] })).toContain('TABLE other.a');
  expect(entries({ tables: ['a'], dataOnly: true })).toEqual(['TABLE DATA shop.a']);
  expect(entries({ sections: ['data'] })).toEqual(['TABLE DATA shop.a', 'SEQUENCE SET shop.a_id_seq']);
  // Large objects are made with their data, though pg_dump lists them before the tables.
  expect(entries({ schemaOnly: true })).not.toContain('BLOB -.123');
  expect(entries({ schemaOnly: true, schemas: ['other'] })).toEqual(['TABLE other.a']);
  expect(entries({ sections: ['post-data'] }, ['--no-publications'])).toEqual([
    'CONSTRAINT shop.a a_pkey',
    'CONSTRAINT shop.a b a b_pkey',
    'INDEX shop.a_idx',
    'ROW SECURITY shop.a',
  ]);
  expect(entries({ sections: ['pre-data'] }, ['--exclude-schema=shop'])).toEqual([
    'SCHEMA -.shop',
    'EXTENSION -.hstore',
    'TABLE other.a',
    'BLOB -.123',
  ]);
});

test('rows are expected of the tables of a part', () => {
  const tables = ['shop.a', 'shop."a b"', 'other.a'].map((table) => ({ table }));
  const rows = (part: Partial<DumpPart>, options: readonly string[] = []) =>
    restoredTables(tables, { part: { ...wholeDump, ...part }, options }).map(({ table }) => table);
  expect(rows({ tables: ['a b'] })).toEqual(['shop."a b"']);
  expect(rows({ schemas: ['other'] })).toEqual(['other.a']);
  expect(rows({}, ['--exclude-schema=shop'])).toEqual(['other.a']);
  expect(rows({ sections: ['pre-data', 'post-data'] })).toEqual([]);
  expect(rows({ schemaOnly: true })).toEqual([]);
  expect(isWhole({ part: { ...wholeDump, clean: true }, options: ['--no-owner'] })).toBe(true);
  expect(isWhole({ part: wholeDump, options: ['--exclude-schema=shop'] })).toBe(false);
});
