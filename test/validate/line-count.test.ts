import { expect, test } from 'vitest';
import { LineCount } from '../../src/validate/line-count.ts';

test.each([
  ['{}\n{}\n{}', 3],
  ['{}\n{}\n', 2],
  ['\n \n{}\r\n\t\n{}\n\n', 2],
  ['', 0],
  ['\n', 0],
])('counts %j as %i records, wherever it is cut', (text, records) => {
  for (let size = 1; size <= text.length + 1; size += 1) {
    const count = new LineCount();
    for (let at = 0; at < text.length; at += size) count.push(Buffer.from(text.slice(at, at + size)));
    expect(count.records).toBe(records);
  }
});
