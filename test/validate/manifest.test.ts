import { expect, it } from 'vitest';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { keyText, nullKey, parseManifest } from '../../src/validate/manifest.ts';

function manifest(keys: string): Buffer {
  return Buffer.from(`{
  "version": "1.0",
  "manifest_info": {"primary_key_column": "id"},
  "primary_keys": ${keys}
}`);
}

it('keeps every digit of a key', () => {
  const { column, keys } = parseManifest(manifest('[\n 9223372036854775807,\n 9223372036854775806\n]'), 'm');
  expect(column).toBe('id');
  expect([...keys]).toEqual(['9223372036854775807', '9223372036854775806']);
});

it('reads keys that JSON does not have', () => {
  expect([...parseManifest(manifest('[NaN, 1.5, -Infinity]'), 'm').keys]).toEqual([
    'NaN',
    '1.5',
    '-Infinity',
  ]);
});

it('reads keys that were made into text, escapes and NULL', () => {
  const { keys } = parseManifest(manifest('["a\\nb", "\\u00fc", null, "2026-01-02 03:04:05"]'), 'm');
  expect([...keys]).toEqual(['a\nb', 'ü', nullKey, '2026-01-02 03:04:05']);
});

it.each([
  ['2026-01-02T03:04:05Z', '2026-01-02 03:04:05'],
  ['2026-01-02T03:04:05.120000+00:00', '2026-01-02 03:04:05.120000'],
  ['2026-01-02 03:04:05+00:00', '2026-01-02 03:04:05'],
  ['2026-01-02', '2026-01-02'],
  ['key 2', 'key 2'],
])('brings %s and the way of the other file into one form', (text, form) => {
  expect(keyText(text)).toBe(form);
});

it.each([
  ['{', 'it is not JSON'],
  ['{"manifest_info": {"primary_key_column": "id"}}', 'primary_keys: missing'],
  ['{"manifest_info": {"primary_key_column": "id"}, "primary_keys": 3}', 'primary_keys: not a list of keys'],
  [
    '{"manifest_info": {"primary_key_column": "id"}, "primary_keys": [[1]]}',
    'primary_keys: not a list of keys',
  ],
  ['{"primary_keys": []}', 'manifest_info.primary_key_column: missing'],
])('says what is wrong with %s', (text, what) => {
  const read = () => parseManifest(Buffer.from(text), 'm.manifest.json');
  expect(read).toThrow(ThawError);
  expect(read).toThrow(`m.manifest.json: ${what}.`);
});
