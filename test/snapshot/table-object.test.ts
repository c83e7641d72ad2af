import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TableObject } from '../../src/snapshot/read/table-object.ts';
import { cut } from '../archive/copied-rows.ts';

/** The rows of each table, parsed. */
function read(chunks: readonly Buffer[]): Map<string, unknown[]> {
  const object = new TableObject('backup.json');
  const texts = new Map<string, string>();
  for (const chunk of chunks) {
    for (const { table, lines } of object.push(Buffer.from(chunk))) {
      texts.set(table, (texts.get(table) ?? '') + lines.toString('latin1'));
    }
  }
  object.end();
  const found = new Map(
    [...texts].map(([table, text]) => {
      expect(text.endsWith('\n')).toBe(true);
      const rows = text.split('\n').filter((line) => line.trim() !== '');
      return [table, rows.map((line) => JSON.parse(Buffer.from(line, 'latin1').toString('utf8')))];
    }),
  );
  expect([...found].map(([table, rows]) => [table, rows.length])).toEqual([...object.tables]);
  return found;
}

const row = fc.dictionary(
  fc.string({ unit: 'binary' }),
  fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }),
  {
    maxKeys: 5,
  },
);
const tables = fc.dictionary(fc.string({ unit: 'binary', maxLength: 60 }), fc.array(row, { maxLength: 6 }), {
  maxKeys: 5,
});
/** Blanks that may stand between any two tokens. */
const spacing = fc.constantFrom(0, 1, 4, '\t', '\n', '\r\n \t');

test('gives the rows of every table, however the object is spaced and cut', () => {
  fc.assert(
    fc.property(
      tables,
      spacing,
      fc.array(fc.nat(), { maxLength: 30 }),
      fc.boolean(),
      (object, space, places, hasMark) => {
        const text = JSON.stringify(object, null, space === '\r\n \t' ? 2 : space);
        const spaced = space === '\r\n \t' ? text.replaceAll('\n', space) : text;
        const bytes = Buffer.from(`${hasMark ? '\u{feff}' : ''}${spaced}\n`);
        const rows = read(cut(bytes, places));
        // Keys that look like numbers come first in an object of JavaScript.
        expect(Object.fromEntries(rows)).toEqual(JSON.parse(text));
      },
    ),
    { numRuns: 1_000 },
  );
});

test('tells any object that is cut short', () => {
  const bytes = Buffer.from('{"a": [{"x": "}]"}, {"y": [1, {}]}], "b\\"": []}');
  expect(read([bytes])).toEqual(
    new Map([
      ['a', [{ x: '}]' }, { y: [1, {}] }]],
      ['b"', []],
    ]),
  );
  for (let length = 0; length < bytes.length; length += 1) {
    expect(() => read([bytes.subarray(0, length)])).toThrow(/^backup.json: it ends before the object does/);
  }
});

test.for([
  ['[]', 'no object of tables, at byte 0'],
  ['{"a": {}}', 'no array of rows behind the name of a table, at byte 6'],
  ['{"a": null}', 'no array of rows behind the name of a table, at byte 6'],
  ['{"a": [1]}', 'neither a row nor the end of the array, at byte 7'],
  ['{"a": [{}, 1]}', 'no row, which is an object, where one must be, at byte 11'],
  ['{"a": [{},]}', 'no row, which is an object, where one must be, at byte 10'],
  ['{"a": [{} {}]}', 'neither a comma nor the end of the array behind a row, at byte 10'],
  ['{"a": [{"b": "x\ny"}]}', 'a line break within a string, at byte 15'],
  ['{"a": [],}', 'no name of a table where one must be, at byte 9'],
  ['{,}', 'neither the name of a table nor the end of the object, at byte 1'],
  ['{"a": [], "a": []}', 'a table comes twice, at byte 12'],
  ['{"\\x": []}', 'the name of a table is not JSON, at byte 4'],
  ['{"a" []}', 'no colon behind the name of a table, at byte 5'],
  ['{"a": []} {}', 'more behind the end of the object, at byte 10'],
  [`{"${'a'.repeat(2_000)}": []}`, 'the name of a table is too long, at byte 1026'],
] as const)('refuses %s', ([text, message]) => {
  const whole = () => read([Buffer.from(text)]);
  expect(whole).toThrow(
    expect.objectContaining({ code: 'ArchiveCorrupt', message: `backup.json: ${message}.` }),
  );
  // Byte by byte it is the same.
  expect(() =>
    read(
      cut(
        Buffer.from(text),
        [...text].map((_, index) => index),
      ),
    ),
  ).toThrow(message);
});

test('holds nothing of an object, nor of a row, of any size', () => {
  const object = new TableObject('backup.json');
  object.push(Buffer.from('{"many": [{}'));
  const rows = Buffer.from(`, {"id": 1, "text": "${'x'.repeat(200)}"}`.repeat(5_000));
  const text = Buffer.alloc(rows.length, 'x');
  const lent = Buffer.alloc(rows.length);
  const before = process.memoryUsage().rss;
  const fill = (bytes: Buffer) => {
    for (let count = 0; count < 60; count += 1) {
      bytes.copy(lent);
      for (const { lines } of object.push(lent)) expect(lines.buffer).toBe(lent.buffer);
    }
  };
  fill(rows);
  object.push(Buffer.from('], "large": [{"text": "'));
  fill(text);
  object.push(Buffer.from('"}]}'));
  object.end();
  expect([...object.tables]).toEqual([
    ['many', 300_001],
    ['large', 1],
  ]);
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
});
