import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareArchiveOrder,
  inArchiveOrder,
  isArchiveKey,
  metadataKeys,
  parseArchiveKey,
  tableOfKey,
  tablePrefix,
} from '../../src/archive/key.ts';

const folder = 'archives/db/audit_logs/year=2026/month=01/day=04';
const key = `${folder}/audit_logs_20260104T053001Z_batch_061.jsonl.gz`;

describe('parseArchiveKey', () => {
  test.for([
    [key, '2026-01-04', '20260104T053001Z', 61, 'audit_logs'],
    [key.slice('archives/'.length), '2026-01-04', '20260104T053001Z', 61, 'audit_logs'],
    [key.replace('.gz', ''), '2026-01-04', '20260104T053001Z', 61, 'audit_logs'],
    [key.replace('.gz', '.zst'), '2026-01-04', '20260104T053001Z', 61, 'audit_logs'],
    [key.replace('_061', '_1000'), '2026-01-04', '20260104T053001Z', 1000, 'audit_logs'],
    ['P/db/t/2026/01/04/t_20260105T000000Z_batch_001.jsonl.gz', '2026-01-04', '20260105T000000Z', 1, 't'],
    ['t_20260105T000000Z_batch_001.jsonl.gz', '2026-01-05', '20260105T000000Z', 1, 't'],
    ['P/db/t/year=2026/month=1/day=4/x.jsonl.gz', '2026-01-04', null, null, null],
    ['P/db/t/x.jsonl.gz', null, null, null, null],
    ['P/db/t/year=2026/month=13/day=04/x.jsonl.gz', null, null, null, null],
    ['P/db/t/year=2026/month=02/day=30/x.jsonl.gz', null, null, null, null],
  ] as const)('%s', ([given, day, timestamp, batch, table]) => {
    expect(parseArchiveKey(given)).toEqual({ day, timestamp, batch, table });
  });
});

test('tells archives from what lies beside them', () => {
  const base = key.replace('.jsonl.gz', '');
  expect([key, `${base}.jsonl`, `${base}.jsonl.zst`].map(isArchiveKey)).toEqual([true, true, true]);
  const others = [
    `${base}.metadata.json`,
    `${key}.metadata.json`,
    `${base}.manifest.json`,
    'a/.watermark.json',
  ];
  expect([...others, 'a/.restore_watermark.json', 'a/.checkpoint.json', 'a/', ''].some(isArchiveKey)).toBe(
    false,
  );
});

test('looks for metadata in the place of the extension, then behind it', () => {
  const base = key.replace('.jsonl.gz', '');
  expect(metadataKeys(key)).toEqual([`${base}.metadata.json`, `${key}.metadata.json`]);
  expect(metadataKeys(`${base}.jsonl`)).toEqual([`${base}.metadata.json`, `${base}.jsonl.metadata.json`]);
});

describe('archive order', () => {
  test('goes by moment, then by batch as a number', () => {
    const ordered = [
      'P/db/t/undated.jsonl.gz',
      'P/db/t/year=2026/month=01/day=03/x.jsonl.gz',
      'P/db/t/year=2026/month=01/day=03/t_20260103T000000Z_batch_001.jsonl.gz',
      'P/db/t/year=2026/month=01/day=04/t_20260104T000000Z_batch_101.jsonl.gz',
      'P/db/t/year=2026/month=01/day=04/t_20260104T000000Z_batch_1000.jsonl.gz',
      'P/db/t/year=2026/month=01/day=04/t_20260104T000001Z_batch_001.jsonl.gz',
    ];
    expect(ordered.toReversed().sort(compareArchiveOrder)).toEqual(ordered);
    expect(inArchiveOrder(ordered.toReversed(), (item) => item)).toEqual(ordered);
  });

  test('is total', () => {
    const stamp = fc.constantFrom('20260104T000000Z', '20260104T000001Z', '20260105T000000Z');
    const anyKey = fc.oneof(
      fc
        .tuple(stamp, fc.nat(1_200))
        .map(([at, n]) => `P/t_${at}_batch_${String(n).padStart(3, '0')}.jsonl.gz`),
      fc.constantFrom(
        'x.jsonl',
        'y.jsonl',
        'P/year=2026/month=01/day=04/é.jsonl',
        'P/year=2026/month=01/day=05/z.jsonl',
      ),
    );
    fc.assert(
      fc.property(anyKey, anyKey, anyKey, (a, b, c) => {
        const [ab, ba, bc, ac] = [
          [a, b],
          [b, a],
          [b, c],
          [a, c],
        ].map(([x = '', y = '']) => Math.sign(compareArchiveOrder(x, y)));
        expect(ab).toBe(-(ba ?? 0) || 0);
        if (ab === 0) expect(a).toBe(b);
        if (ab === bc && ab !== 0) expect(ac).toBe(ab);
      }),
    );
  });
});

test("keeps siblings out whose name begins with the table's", () => {
  expect(tablePrefix('archives', 'db', 'audit_logs')).toBe('archives/db/audit_logs/');
  expect(tablePrefix('archives/', 'db', 't')).toBe('archives/db/t/');
  expect(tablePrefix('', 'db', 't')).toBe('db/t/');
  expect('archives/db/audit_logs_old/x'.startsWith(tablePrefix('archives', 'db', 'audit_logs'))).toBe(false);
});

test.for([
  [key, 'archives', 'audit_logs', null],
  [key, 'archives/', 'audit_logs', null],
  [key.slice('archives/'.length), 'archives', 'audit_logs', null],
  ['a/b/db/t/2026/01/04/t.jsonl', 'a/b', 't', null],
  ['P/db/public/t/year=2026/month=01/day=04/x.jsonl', 'P', 't', 'public'],
  ['P/db/public/year=2026/month=01/day=04/x.jsonl', 'P', 'public', null],
  ['P/db/public/2026/01/04/x.jsonl', 'P', 'public', null],
  ['P/db/sales/t/year=2026/month=01/day=04/t_20260104T000000Z_batch_001.jsonl.gz', 'P', 't', 'sales'],
  ['P/db/sales/t/t_20260104T000000Z_batch_001.jsonl.gz', 'P', 't', 'sales'],
  ['P/db/t/old/t_20260104T000000Z_batch_001.jsonl.gz', 'P', 't', null],
  ['P/db/t/t/t_20260104T000000Z_batch_001.jsonl.gz', 'P', 't', null],
  ['db/t/t.jsonl', '', 't', null],
] as const)('reads database, table and schema from %s with prefix %s', ([given, prefix, table, schema]) => {
  expect(tableOfKey(given, prefix)).toEqual({ database: 'db', table, schema });
});

test.for([
  ['P/t.jsonl', 'P'],
  ['t.jsonl', ''],
  ['P/snapshots/20260104-052021-abc123/shop.orders/part-0001.jsonl.gz', 'P/'],
] as const)('reads no table from %s with prefix %s', ([given, prefix]) => {
  expect(tableOfKey(given, prefix)).toBeNull();
});
