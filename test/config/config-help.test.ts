import { expect, test } from 'vitest';
import { configFields, systemFields } from '../../src/config/config-help.ts';

const fields = new Map(configFields().map((field) => [field.path, field]));

test('describes every setting', () => {
  expect([...fields.keys()]).toEqual(
    expect.arrayContaining([
      'version',
      's3.endpoint',
      'folder',
      'databases[].port',
      'databases[].tables[].name',
    ]),
  );
  for (const { path, description } of fields.values()) expect(description, path).toMatch(/\.$/);
});

test('describes every setting of system.yaml', () => {
  const settings = systemFields();
  expect(settings.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['systems[].databases[].rpo', 'systems[].stop[].run', 'systems[].contacts[]']),
  );
  for (const { path, description } of settings) expect(description, path).toMatch(/\.$/);
});

test('tells defaults and words', () => {
  expect(fields.get('databases[].port')?.fallback).toBe('5432');
  expect(fields.get('restore_watermark.enabled')?.fallback).toBe('true');
  expect(fields.get('s3.bucket')?.fallback).toBeNull();
  expect(fields.get('restore_watermark.storage_type')).toMatchObject({
    words: ['s3', 'database', 'both'],
    fallback: '"s3"',
  });
});
