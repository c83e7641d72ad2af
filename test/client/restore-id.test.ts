import { expect, it } from 'vitest';
import { newRestoreId, requestFingerprint } from '../../src/client/restore-id.ts';
import { defaultRestoreOptions, type RestoreRequest } from '../../src/contract/restore-request.ts';

const request: RestoreRequest = {
  restoreId: 'one',
  fingerprint: 'f',
  database: 'd',
  tables: null,
  keys: null,
  options: defaultRestoreOptions,
};

it('names a restore by its time in UTC', () => {
  expect(newRestoreId(new Date('2026-01-04T05:20:21.999Z'))).toMatch(/^20260104-052021-[0-9a-z]{6}$/);
  expect(new Set(Array.from({ length: 50 }, () => newRestoreId())).size).toBe(50);
});

it('tells requests apart by all but their id', () => {
  const one = requestFingerprint(request);
  expect(requestFingerprint({ ...request, restoreId: 'two' })).toBe(one);
  expect(requestFingerprint({ ...request, fingerprint: 'g' })).not.toBe(one);
  expect(requestFingerprint({ ...request, options: { ...defaultRestoreOptions, lanes: 5 } })).not.toBe(one);
});

it('does not mind the order in which a request was put together', () => {
  const { options, ...rest } = request;
  const reordered = { options: Object.fromEntries(Object.entries(options).reverse()), ...rest };
  expect(requestFingerprint(reordered as unknown as RestoreRequest)).toBe(requestFingerprint(request));
});
