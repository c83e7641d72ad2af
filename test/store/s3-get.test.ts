import { expect, test } from 'vitest';
import { encodeKey } from '../../src/store/s3-get.ts';

// versitygw forgives what AWS answers with SignatureDoesNotMatch, hence this test.
test('encodes everything but unreserved characters and the slash, as S3 signs it', () => {
  expect(encodeKey("a b/year=2026/!'()*~-_.+%@:,;$&?#")).toBe(
    'a%20b/year%3D2026/%21%27%28%29%2A~-_.%2B%25%40%3A%2C%3B%24%26%3F%23',
  );
  expect(encodeKey('ü/😀')).toBe('%C3%BC/%F0%9F%98%80');
  expect(encodeKey('/a//b')).toBe('/a//b');
});

test.each(['', '\ud800'])('refuses %j, which no object may be called', (key) => {
  expect(() => encodeKey(key)).toThrow(expect.objectContaining({ code: 'InputInvalid' }));
});
