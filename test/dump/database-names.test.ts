import { expect, test } from 'vitest';
import { newDatabaseName, oldDatabaseName } from '../../src/dump/swap/database-names.ts';

const at = new Date('2026-01-04T02:00:05.678Z');

test('tell the live database, and the restore or the time', () => {
  expect(newDatabaseName('argus_db', '20260104-020000-abc123')).toBe('argus_db__thaw_020000abc123');
  expect(newDatabaseName('argus_db', 'a-1')).toBe('argus_db__thaw_a1');
  expect(oldDatabaseName('argus_db', at)).toBe('argus_db__old_20260104_020005');
});

test('are cut to 63 bytes at a whole character', () => {
  const long = `a${'é'.repeat(31)}`;
  expect(Buffer.byteLength(long)).toBe(63);
  expect(newDatabaseName(long, '20260104-020000-abc123')).toBe(`a${'é'.repeat(21)}__thaw_020000abc123`);
  expect(oldDatabaseName(long, at)).toBe(`a${'é'.repeat(20)}__old_20260104_020005`);
  expect(oldDatabaseName('🦣'.repeat(15), at)).toBe(`${'🦣'.repeat(10)}__old_20260104_020005`);
});
