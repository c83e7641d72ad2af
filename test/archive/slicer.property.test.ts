import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { column, cut, slice } from './copied-rows.ts';
import { parseArchive } from './reference-parser.ts';

const names = ['id', 'name', 'note'];
const columns = names.map((name) => column(name));

const text = fc.string({ unit: fc.oneof(fc.constantFrom(...'abc\t\n\r\\"/\u0001\u2028é漢🧊'), fc.string()) });
const quoted = fc.oneof(
  text.map((value) => JSON.stringify(value)),
  fc.constantFrom(
    '"\\u00e9\\ud83e\\uddca"',
    '"\\u000a\\t\\/\\u005C"',
    '"\\u0000"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
  ),
);
const lexeme = fc.constantFrom(
  '0',
  '-0',
  '12',
  '9223372036854775807',
  '1.50',
  '-1E-10',
  '1e+3',
  'NaN',
  '-Infinity',
);
const value = fc.oneof(
  { weight: 4, arbitrary: quoted },
  { weight: 4, arbitrary: lexeme },
  fc.constantFrom('null', 'true', 'false', 'Infinity'),
  fc.json(),
);
const tail = '"_archived_at": "2026-01-04T05:20:21.5+00:00Z", "_batch_id": "19e7"';

/** Records of few shapes, so that most look like the one before. */
const record = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(value, value).map(([id, name]) => `{"id": ${id}, "name": ${name}, ${tail}}`),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(value, value).map(([id, name]) => `{"name": ${name}, "id": ${id}, ${tail}}`),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(value, value).map(([id, note]) => `{"id": ${id}, "other": ${note}, "note": ${note}}`),
  },
  fc.tuple(value, value).map(([id, note]) => `{"id":${id},"note":${note},"id":${note}}`),
  fc.dictionary(fc.constantFrom(...names, 'x'), fc.jsonValue()).map((object) => JSON.stringify(object)),
  fc.constantFrom(
    '',
    '  ',
    '\r',
    '{}',
    ' { } ',
    '[]',
    '1',
    '{"id": 1},',
    '{"id": 1,}',
    '{"id": 01}',
    '{"\\u0069d": 5}',
  ),
);
const archive = fc
  .tuple(
    fc.array(record, { maxLength: 12 }),
    fc.constantFrom('\n', '\r\n'),
    fc.constantFrom('', '\n'),
    fc.boolean(),
  )
  .map(([records, newline, end, mark]) =>
    Buffer.from(`${mark ? '\ufeff' : ''}${records.join(newline)}${end}`),
  );
const places = fc.array(fc.nat(4_000), { maxLength: 6 });

function expectSame(bytes: Buffer, chunks: readonly Buffer[]): void {
  const expected = parseArchive(bytes, names);
  const sliced = slice(chunks, columns);
  if (expected.error === null) {
    expect(sliced.error).toBeNull();
    expect(sliced.rows.map(inOrder)).toEqual(expected.rows.map(inOrder));
    expect(sliced.lines).toEqual(expected.lines);
    expect(sliced.slicer.rows).toBe(expected.rows.length);
    return;
  }
  expect(sliced.error).toBeInstanceOf(ThawError);
  expect(sliced.error).toMatchObject({ ...expected.error, stage: 'slice' });
  const [first, last] = lineSpan(bytes, expected.error.line);
  const offset = Number(/^Line \d+, byte (\d+) /.exec((sliced.error as Error).message)?.[1]);
  expect(offset).toBeGreaterThanOrEqual(first);
  expect(offset).toBeLessThanOrEqual(last);
  // What was handed out before is a true beginning.
  expect(sliced.rows.map(inOrder)).toEqual(expected.rows.slice(0, sliced.rows.length).map(inOrder));
}

/** Offsets of the first byte of a line, and of its newline or the end. */
function lineSpan(bytes: Buffer, line: number): [number, number] {
  let start = 0;
  for (let before = 1; before < line; before += 1) start = bytes.indexOf(0x0a, start) + 1;
  const end = bytes.indexOf(0x0a, start);
  return [start, end === -1 ? bytes.length : end];
}

function inOrder(row: ReadonlyMap<string, string | null>): [string, string | null][] {
  return [...row].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

test('agrees with a strict parser on any archive, cut anywhere', () => {
  fc.assert(
    fc.property(archive, places, (bytes, cuts) => expectSame(bytes, cut(bytes, cuts))),
    { numRuns: 3_000 },
  );
});

test('agrees with a strict parser on archives with bytes changed, left out and put in', () => {
  const change = fc.tuple(fc.nat(4_000), fc.nat(255), fc.constantFrom('set', 'remove', 'insert'));
  const likely = fc
    .constantFrom(...'"\\{}[],:0-. \n\r\tuE\u00e9')
    .map((character) => character.charCodeAt(0));
  const anyByte = fc.tuple(fc.nat(4_000), likely, fc.constantFrom('set', 'remove', 'insert'));
  const changes = fc.array(fc.oneof(change, anyByte), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(archive, changes, places, (bytes, list, cuts) => {
      const spoilt = list.reduce((before, [place, byte, kind]) => {
        const at = place % (before.length + 1);
        const rest = before.subarray(kind === 'insert' ? at : at + 1);
        return Buffer.concat([
          before.subarray(0, at),
          kind === 'remove' ? Buffer.alloc(0) : Buffer.of(byte),
          rest,
        ]);
      }, bytes);
      expectSame(spoilt, cut(spoilt, cuts));
    }),
    { numRuns: 6_000 },
  );
});

test('agrees with a strict parser on any bytes at all', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), places, (array, cuts) => {
      const bytes = Buffer.from(array);
      expectSame(bytes, cut(bytes, cuts));
    }),
    { numRuns: 2_000 },
  );
});

/** What a json column is to hold for a string: its text where that is JSON, else the string as JSON. */
function jsonOfString(text: string): unknown {
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    return { value: text };
  }
}

test('takes the strings of a json column for JSON text exactly where they are', () => {
  const spaced = fc.json({ maxDepth: 4 }).map((json) => json.replaceAll(/([,:])/g, '$1 '));
  const numbers = fc.constantFrom(
    '1.50',
    '-0',
    '01',
    '1.',
    '-',
    '1e5',
    '1E-10',
    '.5',
    'NaN',
    '12345678901234567890',
    '[1,2.5]',
    '[1,]',
    '[1 ,2]',
  );
  const broken = fc
    .tuple(fc.json(), fc.nat(30), fc.constantFrom(...'{}[],:"\\ 0-\n\tx'))
    .map(([json, at, character]) => json.slice(0, at) + character + json.slice(at + 1));
  const texts = fc.array(
    fc.oneof(
      fc.json(),
      spaced,
      numbers,
      broken,
      fc.string(),
      fc.constantFrom('{"a": "\\u00e9\\""}', '"\n"', '\n1', '{"a":  1}'),
    ),
    {
      minLength: 1,
      maxLength: 6,
    },
  );
  fc.assert(
    fc.property(texts, places, (values, cuts) => {
      const bytes = Buffer.from(values.map((value) => JSON.stringify({ doc: value })).join('\n'));
      const { rows, error } = slice(cut(bytes, cuts), [column('doc', 'jsonb')]);
      expect(error).toBeNull();
      const found = rows.map((row) => row.get('doc') ?? '');
      for (const [index, value] of values.entries()) {
        const text = found[index] ?? '';
        expect({ text, value: JSON.parse(text) }).toMatchObject(jsonOfString(value) as object);
      }
    }),
    { numRuns: 4_000 },
  );
});
