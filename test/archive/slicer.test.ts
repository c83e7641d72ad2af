import { expect, test } from 'vitest';
import { RestartNested } from '../../src/archive/slice-error.ts';
import { type RejectedLine, Slicer } from '../../src/archive/slicer.ts';
import { column, slice } from './copied-rows.ts';

const id = column('id', 'int8');
const name = column('name');
const doc = column('doc', 'jsonb');

function lines(...records: string[]): Buffer[] {
  return [Buffer.from(records.join('\n'))];
}

/** The texts of one column, row by row; undefined where a row does not have it. */
function texts(chunks: Buffer[], of = name, options = {}): (string | null | undefined)[] {
  const sliced = slice(chunks, [id, of], options);
  if (sliced.error !== null) throw sliced.error;
  return sliced.rows.map((row) => row.get(of.name));
}

test('copies numbers as they were written', () => {
  const lexemes = [
    '9007199254740993',
    '-9223372036854775808',
    '0.10000000000000000555',
    '1E-30',
    '-0.0',
    'NaN',
    '-Infinity',
  ];
  expect(texts(lines(...lexemes.map((lexeme) => `{"name": ${lexeme}}`)))).toEqual(lexemes);
});

test('takes a missing key for a column that is left to its default, and ends the COPY there', () => {
  const sliced = slice(lines('{"id": 1, "name": "a"}', '{"id": 2}', '{"id": 3}', '{"id": 4, "name": null}'), [
    id,
    name,
  ]);
  expect(sliced.pieces.map(({ columns, rows }) => ({ columns, rows }))).toEqual([
    { columns: [0, 1], rows: 1 },
    { columns: [0], rows: 2 },
    { columns: [0, 1], rows: 1 },
  ]);
  expect(sliced.rows[3]?.get('name')).toBeNull();
});

test('writes the columns of a record in another order where they were, until the new order stays', () => {
  const sliced = slice(
    lines(
      '{"id": 1, "name": "a"}',
      '{"name": "b", "id": 2}',
      '{"id": 3, "name": "c"}',
      '{"name": "d", "id": 4}',
      '{"name": "e", "id": 5}',
    ),
    [id, name],
  );
  expect(sliced.rows.map((row) => row.get('name'))).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(sliced.pieces.map(({ columns, rows }) => ({ columns, rows }))).toEqual([
    { columns: [0, 1], rows: 4 },
    { columns: [1, 0], rows: 1 },
  ]);
});

test('gives rows without any column', () => {
  const sliced = slice(lines('{}', '{"x": 1}'), [id]);
  expect(sliced.pieces).toEqual([{ columns: [], rows: 2, bytes: 2 }]);
});

test("counts values of keys that no column takes, but not the archiver's own nor those to be ignored", () => {
  const own = '"_archived_at": "x", "_batch_id": "y", "_source_database": "d", "_source_table": "t"';
  const records = [1, 2, 3].map(
    (n) => `{"id": ${n}, "old": ${n === 2 ? null : n}, "gone": null, "gen": 5, ${own}}`,
  );
  const { slicer } = slice(lines(...records), [id], { ignoredKeys: new Set(['gen']) });
  expect([...slicer.unknownKeys]).toEqual([
    ['old', 2],
    ['gone', 0],
  ]);
});

test("gives a column the value of a key that is otherwise the archiver's own", () => {
  const own = column('_batch_id');
  expect(texts(lines('{"id": 1, "_batch_id": "a"}', '{"id": 2, "_batch_id": "b"}'), own)).toEqual(['a', 'b']);
});

test('takes values by key, not by the name of the column', () => {
  const sliced = slice(lines('{"old": "a", "name": "b"}'), [{ ...name, key: 'old' }]);
  expect(sliced.rows.map((row) => row.get('name'))).toEqual(['a']);
  expect([...sliced.slicer.unknownKeys.keys()]).toEqual(['name']);
});

test("notices what changes in the archiver's own keys at the end of records", () => {
  const records = ['"a"', '"b"', '5, "name": "late"'].map((tail, n) => `{"id": ${n}, "_batch_id": ${tail}}`);
  expect(texts(lines(...records))).toEqual([undefined, undefined, 'late']);
  const broken = slice(lines('{"id": 1, "_batch_id": "a"}', '{"id": 2, "_batch_id": "a"'), [id]);
  expect(broken.error).toMatchObject({ code: 'ArchiveCorrupt', line: 2 });
});

test('keeps line separators of Unicode, and escapes what COPY must not see', () => {
  expect(
    texts(lines('{"name": "a\u2028b\u0085c"}', '{"name": "\\\\N\\\\.\\t\\n\\r\\b\\f\\u000b/\\/"}')),
  ).toEqual(['a\u2028b\u0085c', '\\N\\.\t\n\r\b\f\u000b//']);
});

test.for([
  ['trailing comma', '{"id": 1,}'],
  ['leading zero', '{"id": 01}'],
  ['plus sign', '{"id": +1}'],
  ['no digit behind the point', '{"id": 1.}'],
  ['two records in a line', '{"id": 1}{"id": 2}'],
  ['control character', '{"name": "a\tb"}'],
  ['unknown escape', '{"name": "\\x41"}'],
  ['half a surrogate pair', '{"name": "\\ud83e"}'],
  ['word that is none', '{"id": nul}'],
  ['record that stops', '{"id": 1, "name": "a'],
  ['single quotes', "{'id': 1}"],
  ['array', '[1]'],
])('refuses what is not JSON, with line and offset and without content: %s', ([, record = '']) => {
  for (const before of ['{"id": 1, "name": "secret"}', '{"id": 7}']) {
    const sliced = slice([Buffer.from(`${before}\n\n${record}`)], [id, name]);
    expect(sliced.error).toMatchObject({ code: 'ArchiveCorrupt', stage: 'slice', line: 3 });
    const offset = Number(/^Line 3, byte (\d+) /.exec((sliced.error as Error).message)?.[1]);
    expect(offset).toBeGreaterThanOrEqual(before.length + 2);
    expect(offset).toBeLessThanOrEqual(before.length + 2 + record.length);
    expect((sliced.error as Error).message).not.toContain('secret');
  }
});

test('tells where bytes are not UTF-8', () => {
  const line = Buffer.from('{"id": 1, "name": "é漢 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}\n');
  const broken = Buffer.from(line);
  broken[30] = 0xff;
  const { error } = slice([Buffer.concat([line, broken])], [id, name]);
  expect(error).toMatchObject({ code: 'ArchiveCorrupt', line: 2 });
  const offset = Number(/byte (\d+) /.exec((error as Error).message)?.[1]);
  expect(Math.abs(offset - (line.length + 30))).toBeLessThanOrEqual(4);
});

test('bounds how deep values are nested', () => {
  const deep = (depth: number) => lines(`{"id": 1, "x": ${'['.repeat(depth)}${']'.repeat(depth)}}`);
  expect(slice(deep(10_000), [id]).error).toBeNull();
  expect(slice(deep(10_001), [id]).error).toMatchObject({ code: 'ArchiveCorrupt', line: 1 });
});

test('rejects a value that no text can hold, naming line and column', () => {
  const { error } = slice(lines('{"id": 1}', '{"id": 2, "name": "a\\u0000b"}'), [id, name]);
  expect(error).toMatchObject({ code: 'RowRejected', stage: 'slice', line: 2 });
  expect((error as Error).message).toMatch(/^Line 2, byte 10 of .*: column name holds U\+0000/);
});

test('gives rejected lines away and goes on, where it is told to', () => {
  const rejected: (Omit<RejectedLine, 'bytes'> & { text: string })[] = [];
  const sliced = slice(
    lines(
      '{"id": 1, "name": "a"}',
      '{"id": 2, "name": "\\u0000"}',
      '',
      '{"id": 3, "name": "c"}',
      '{"id": 4, "name": []}',
      '{"id": 5, "name": "e"}',
    ),
    [id, name],
    {
      skipLines: new Set([4]),
      onReject: ({ bytes, ...rest }: RejectedLine) => rejected.push({ ...rest, text: bytes.toString() }),
    },
  );
  expect(sliced.error).toBeNull();
  expect(sliced.rows.map((row) => row.get('id'))).toEqual(['1', '5']);
  expect(sliced.lines).toEqual([1, 6]);
  expect(sliced.slicer.rows).toBe(5);
  expect(sliced.slicer.lines).toBe(6);
  expect(rejected).toMatchObject([
    { line: 2, error: { code: 'RowRejected' }, text: '{"id": 2, "name": "\\u0000"}' },
    { line: 4, error: null, text: '{"id": 3, "name": "c"}' },
    { line: 5, error: { code: 'RowRejected' }, text: '{"id": 4, "name": []}' },
  ]);
});

test('takes the last value of a key that comes twice, whatever the first is', () => {
  expect(
    texts(
      lines(
        '{"id": 1, "name": "a"}',
        '{"id": 2, "name": [], "name": "b"}',
        '{"name": "\\u0000", "name": "c"}',
      ),
    ),
  ).toEqual(['a', 'b', 'c']);
});

test('finds a broken line corrupt even where one of its values is bad, too', () => {
  const { error } = slice(lines('{"id": 1, "name": "\\u0000", "x": }'), [id, name], {
    onReject: () => undefined,
  });
  expect(error).toMatchObject({ code: 'ArchiveCorrupt', line: 1 });
});

test('slices a line of 100 MB, in chunks, into one row', () => {
  const slicer = new Slicer([id, name]);
  const chunk = Buffer.alloc(1_000_000, 'abc\\n');
  const pieces = [...slicer.push(Buffer.from('{"id": 1, "name": "x"}\n{"id": 2, "name": "'))];
  for (let i = 0; i < 100; i += 1) pieces.push(...slicer.push(chunk));
  pieces.push(...slicer.push(Buffer.from('"}\n{"id": 3, "name": "y"}')), ...slicer.end());
  const text = Buffer.concat(pieces.map((piece) => piece.bytes));
  expect(pieces.reduce((rows, piece) => rows + piece.rows, 0)).toBe(3);
  expect(text.length).toBe('1\tx\n2\t\n3\ty\n'.length + 100_000_000);
  expect(text.subarray(0, 15).toString()).toBe('1\tx\n2\tabc\\nabc\\');
  expect(text.subarray(-10).toString()).toBe('abc\\n\n3\ty\n');
});

test('refuses a line that is longer than allowed', () => {
  const { error } = slice(lines('{"id": 1}', `{"id": 2, "name": "${'x'.repeat(1_000)}"}`), [id], {
    maxLineBytes: 500,
  });
  expect(error).toMatchObject({ code: 'ArchiveCorrupt', line: 2 });
});

test('hands out pieces of 64 KiB and more, and uses released buffers again', () => {
  const archive = Buffer.from(
    Array.from({ length: 50_000 }, (_, n) => `{"id": ${n}, "name": "row ${n}"}\n`).join(''),
  );
  const chunks = Array.from({ length: Math.ceil(archive.length / 100_000) }, (_, n) =>
    archive.subarray(n * 100_000, (n + 1) * 100_000),
  );
  const sliced = slice(chunks, [id, name]);
  expect(sliced.rows.length).toBe(50_000);
  expect(sliced.rows.every((row, n) => row.get('id') === String(n) && row.get('name') === `row ${n}`)).toBe(
    true,
  );
  expect(sliced.pieces.slice(0, -1).every((piece) => piece.bytes >= 65_536)).toBe(true);

  const slicer = new Slicer([id, name]);
  const buffers = new Set<ArrayBufferLike>();
  for (const chunk of chunks) {
    for (const piece of slicer.push(chunk)) {
      buffers.add(piece.bytes.buffer);
      piece.release();
      piece.release();
    }
  }
  expect(buffers.size).toBeLessThanOrEqual(2);
});

test('counts the values that are not or may not be what they were, once for each row that is copied', () => {
  const gone = '"<asyncpg.pgproto.types.Path object at 0x7fb2c3979750>"';
  const route = column('route', 'path');
  const day = column('day', 'date');
  const days = column('days', {
    kind: 'array',
    name: '_date',
    delimiter: ',',
    element: { kind: 'scalar', name: 'date' },
  });
  const slicer = new Slicer([id, route, day, days], {
    unrestorable: 'null',
    skipLines: new Set([5]),
    onReject: () => {},
  });
  const records = [
    `{"id": 1, "route": ${gone}, "day": "9999-12-31", "days": ["9999-12-31", "0001-01-01"]}`,
    // Begun as the one before, and given up for another order.
    `{"id": 2, "route": ${gone}, "days": ["9999-12-30"], "day": "2026-01-01"}`,
    // A value that its column cannot take comes behind one that would count.
    `{"id": 3, "route": ${gone}, "days": 7, "day": {}}`,
    `{"id": 4, "route": null, "days": [], "day": "0999-01-01"}`,
    `{"id": 5, "route": ${gone}, "days": [], "day": "0001-01-01"}`,
    `{"id": 6, "route": "((0,0),(1,1))", "days": [], "day": "0001-01-01"}`,
  ];
  slicer.push(Buffer.from(records.join('\n')));
  slicer.end();
  expect(slicer.columnNotes).toEqual([
    { column: 'route', kind: 'unrestorable', values: 2 },
    { column: 'day', kind: 'infinity_kept', values: 2 },
    { column: 'days', kind: 'infinity_kept', values: 1 },
  ]);
});

test('refuses a column of a type that takes no values, before anything is read', () => {
  const unwritable = column('tree', {
    kind: 'array',
    name: '_x',
    delimiter: ',',
    element: { kind: 'scalar', name: 'pg_node_tree' },
  });
  expect(() => new Slicer([unwritable])).toThrow(expect.objectContaining({ code: 'SchemaIncompatible' }));
  expect(() => new Slicer([unwritable])).toThrow(/tree.*pg_node_tree/);
});

test.for([
  ['an object in a string', '"{\\"a\\": [1, 2.50]}"', '{"a": [1, 2.50]}'],
  ['a string in a string', '"\\"hi\\""', '"hi"'],
  ['JSON null in a string', '"null"', 'null'],
  ['NULL', 'null', null],
  ['a number with all its digits', '"9007199254740993"', '9007199254740993'],
  ['a string that is no JSON', '"hello"', '"hello"'],
  ['one that almost is', '"{\\"a\\": 01}"', '"{\\"a\\": 01}"'],
  [
    'an escaped quote within',
    '"{\\"a\\": \\"\\\\\\"\\\\u00e9\\\\n\\\\\\\\\\"}"',
    '{"a": "\\"\\u00e9\\n\\\\"}',
  ],
  ['a line end within a string of it', '"{\\"a\\": \\"\\n\\"}"', '"{\\"a\\": \\"\\n\\"}"'],
  ['line ends between', '"[1,\\n\\t2]\\r"', '[1,\n\t2]\r'],
  ['Infinity, which JSON lacks', '"Infinity"', '"Infinity"'],
  ['an empty string', '""', '""'],
  ['half a surrogate pair as escape', '"\\"\\\\ud800\\""', '"\\ud800"'],
])('takes a string of json for JSON text where it is: %s', ([, value = '', text = '']) => {
  expect(texts(lines(`{"doc": ${value}}`, `{"doc": ${value}}`), doc)).toEqual([text, text]);
});

test('takes values that are not in strings as they stand', () => {
  const values = [
    '{"a": 1.50, "b": "x\\n\\\\"}',
    '[1,\t{}]',
    '12345678901234567890',
    'true',
    '"{}"',
    '"123"',
  ];
  expect(texts(lines(...values.map((value) => `{"doc": ${value}}`)), doc)).toEqual(values);
});

test('asks for another start when nested values come behind strings that were taken for JSON text', () => {
  const archive = lines('{"doc": "plain"}', '{"doc": "123"}', '{"doc": {"a": 1}}');
  const { error } = slice(archive, [doc]);
  expect(error).toBeInstanceOf(RestartNested);
  expect(error).toMatchObject({ column: 'doc' });
  expect(texts(archive, doc, { nestedJson: new Set(['doc']) })).toEqual(['"plain"', '"123"', '{"a": 1}']);
  // Strings that are no JSON text are the same either way.
  expect(texts(lines('{"doc": "plain"}', '{"doc": {"a": 1}}', '{"doc": "123"}'), doc)).toEqual([
    '"plain"',
    '{"a": 1}',
    '"123"',
  ]);
});
