import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ColumnType } from '../../src/archive/column-type.ts';
import type { SlicerOptions } from '../../src/archive/slicer.ts';
import { column, slice } from './copied-rows.ts';

const scalar = (name: string): ColumnType => ({ kind: 'scalar', name });
const arrayOf = (element: ColumnType, delimiter = ','): ColumnType => ({
  kind: 'array',
  name: '_x',
  element,
  delimiter,
});

/** What a column of the type is given for a JSON value; an error is thrown. */
function encoded(type: ColumnType, json: string, options: SlicerOptions = {}): string | null | undefined {
  // Twice: the second record goes the fast way.
  const bytes = Buffer.from(`{"c": ${json}}\n{"c": ${json}}`);
  const { rows, error } = slice([bytes], [column('c', type)], options);
  if (error !== null) throw error;
  expect(rows[1]?.get('c')).toBe(rows[0]?.get('c'));
  return rows[1]?.get('c');
}

const rejected = expect.objectContaining({
  code: 'RowRejected',
  line: 1,
  message: expect.stringMatching(/^Line 1, byte 0 of the decompressed archive: column c /),
});

describe('bytes', () => {
  const bytea = scalar('bytea');

  test('are decoded from base64, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (array) => {
        const bytes = Buffer.from(array);
        const json = JSON.stringify(bytes.toString('base64'));
        expect(encoded(bytea, json)).toBe(`\\x${bytes.toString('hex')}`);
        expect(encoded(arrayOf(bytea), `[${json}]`)).toBe(`{"\\\\x${bytes.toString('hex')}"}`);
      }),
    );
  });

  test.for([
    '"A"',
    '"AA"',
    '"AAA"',
    '"AA="',
    '"AB=="',
    '"AAB="',
    '"A==="',
    '"===="',
    '"AA==AAAA"',
    '"AA-_"',
    '"AAA\\n"',
    '"\\\\x00"',
    '1',
    'true',
  ])('are refused where that is not base64 to the last bit: %s', (json) => {
    expect(() => encoded(bytea, json)).toThrow(rejected);
    expect(() => encoded(arrayOf(bytea), `[${json}]`)).toThrow(rejected);
  });

  test('are one at most in a "char", and none that no text can hold', () => {
    expect(encoded(scalar('char'), '"XA=="')).toBe('\\');
    expect(encoded(scalar('char'), '"AA=="')).toBe('');
    expect(() => encoded(scalar('char'), '"eHg="')).toThrow(rejected);
    expect(() => encoded(scalar('char'), '"/w=="')).toThrow(rejected);
  });
});

test.for([
  ['timestamptz', '"9999-12-31T23:59:59.999999Z"', 'infinity'],
  ['timestamptz', '"0001-01-01T00:00:00Z"', '-infinity'],
  ['timestamptz', '"9999-12-31T23:59:59.999999+00:00"', '9999-12-31T23:59:59.999999+00:00'],
  ['timestamptz', '"2026-01-04T05:20:21.123456+00:00Z"', '2026-01-04T05:20:21.123456+00:00'],
  ['timestamptz', '"2026-01-04T05:20:21Z"', '2026-01-04T05:20:21Z'],
  ['timestamp', '"9999-12-31T23:59:59.999999Z"', '9999-12-31T23:59:59.999999Z'],
  ['date', '"0001-01-01"', '0001-01-01'],
  ['interval', '"-1 day, 23:59:58.500000"', '-1 days +23:59:58.500000'],
  ['interval', '"428 days, 4:05:06.700000"', '428 days, 4:05:06.700000'],
  ['text', '"2026-01-01T00:00:00Z"', '2026-01-01T00:00:00Z'],
  ['text', '1.50', '1.50'],
  ['bool', 'true', 'true'],
  ['varbit', '"<BitString 1011 0>"', '10110'],
  ['varbit', '"<BitString >"', ''],
  ['pg_lsn', '-1', 'FFFFFFFF/FFFFFFFF'],
  ['pg_lsn', '97500059720', '16/B374D848'],
  ['point', '[1e+300, NaN]', '(1e+300,NaN)'],
  ['circle', '[[0.0, 0.0], 2.0]', '<(0.0,0.0),2.0>'],
  ['tid', '[0, 1]', '(0,1)'],
  ['int2vector', '[3, -1]', '3 -1'],
  ['oidvector', '[]', ''],
  ['something_new', '"as it is"', 'as it is'],
] as const)('%s: %s is %s', ([type, json, text]) => {
  expect(encoded(scalar(type), json)).toBe(text);
});

test('maps the ends of the calendar to infinity where that is asked for', () => {
  const map = { infinity: 'map' } as const;
  expect(encoded(scalar('timestamp'), '"9999-12-31T23:59:59.999999Z"', map)).toBe('infinity');
  expect(encoded(scalar('date'), '"0001-01-01"', map)).toBe('-infinity');
  expect(encoded(scalar('date'), '"2026-01-01"', map)).toBe('2026-01-01');
});

describe('values that the archiver destroyed', () => {
  const gone = '"<asyncpg.pgproto.types.Path object at 0x7fb2c3979750>"';

  test('are refused, or NULL where that is asked for', () => {
    expect(() => encoded(scalar('path'), gone)).toThrow(rejected);
    expect(() => encoded(scalar('polygon'), gone)).toThrow(/archiver destroyed/);
    expect(encoded(scalar('path'), gone, { unrestorable: 'null' })).toBeNull();
    expect(encoded(scalar('path'), '"((0,0),(1,1))"')).toBe('((0,0),(1,1))');
  });
});

describe('arrays', () => {
  test('of text hold any text at any depth', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.array(fc.option(fc.string({ unit: fc.constantFrom(...'ab",\\{} \n\té🧊') })), { minLength: 1 }),
        ),
        (rows) => {
          const quoted = (text: string | null) =>
            text === null ? 'NULL' : `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
          const literal = `{${rows.map((row) => `{${row.map(quoted).join(',')}}`).join(',')}}`;
          expect(encoded(arrayOf(scalar('text')), JSON.stringify(rows))).toBe(literal);
        },
      ),
    );
  });

  test.for([
    [
      'numbers as they are written',
      scalar('numeric'),
      '[1.50, -1E-10, NaN, null, "1.10"]',
      '{1.50,-1E-10,NaN,NULL,"1.10"}',
    ],
    ['none', scalar('int4'), '[ ]', '{}'],
    ['points', scalar('point'), '[[[1.0, 2.0]], [null]]', '{{"(1.0,2.0)"},{NULL}}'],
    [
      'points that are all NULL',
      scalar('point'),
      '[[null, null], [null, null]]',
      '{{NULL,NULL},{NULL,NULL}}',
    ],
    ['snapshots', scalar('pg_snapshot'), '[[1, 2, []], [1, 3, [2]]]', '{"1:2:","1:3:2"}'],
    ['infinity', scalar('timestamptz'), '["9999-12-31T23:59:59.999999Z"]', '{"infinity"}'],
    [
      'JSON texts',
      scalar('jsonb'),
      '["{\\"a\\": 1}", "plain", {"b": 1.0}, null]',
      '{"{\\"a\\": 1}","\\"plain\\"","{\\"b\\": 1.0}",NULL}',
    ],
  ] as const)('of %s', ([, element, json, literal]) => {
    expect(encoded(arrayOf(element), json)).toBe(literal);
  });

  test('have the delimiter of their type', () => {
    expect(encoded(arrayOf(scalar('box'), ';'), '[[[1.0, 1.0], [0.0, 0.0]], null]')).toBe(
      '{"(1.0,1.0),(0.0,0.0)";NULL}',
    );
  });

  test('are refused with objects in them, and nested deeper than PostgreSQL has them', () => {
    expect(() => encoded(arrayOf(scalar('int4')), '[{}]')).toThrow(rejected);
    expect(() => encoded(arrayOf(scalar('int4')), `${'['.repeat(7)}1${']'.repeat(7)}`)).toThrow(rejected);
    expect(() => encoded(arrayOf(scalar('bytea')), `${'['.repeat(20)}${']'.repeat(20)}`)).toThrow(rejected);
  });
});

test.for([
  [{ kind: 'range', name: 'int4range', subtype: scalar('int4') }, '"<Range [1, 5)"'],
  [{ kind: 'range', name: 'int4range', subtype: scalar('int4') }, '"<Range 1, 5>"'],
  [{ kind: 'range', name: 'int4range', subtype: scalar('int4') }, '"<Range [None, 5)>"'],
  [{ kind: 'range', name: 'int4range', subtype: scalar('int4') }, '"<Range [1, 5)>x"'],
  [{ kind: 'multirange', name: 'm', subtype: scalar('int4') }, '5'],
  [{ kind: 'composite', name: 'c', fields: [{ name: 'a', type: scalar('int4') }] }, '"<Record b=1>"'],
  [{ kind: 'composite', name: 'c', fields: [{ name: 'a', type: scalar('int4') }] }, '"<Record a=\'x>"'],
  [scalar('varbit'), '"<BitString 12>"'],
  [scalar('pg_lsn'), '1.5'],
  [scalar('point'), '[1.0]'],
  [scalar('point'), '[1.0, "x"]'],
  [scalar('text'), '{"a": 1}'],
  [scalar('int4'), '[1]'],
] as const)('refuses a value that its type does not have: %j %s', ([type, json]) => {
  expect(() => encoded(type, json)).toThrow(rejected);
});

test("gives an answer to any text where Python's notation is expected", () => {
  const type: ColumnType = {
    kind: 'composite',
    name: 'c',
    fields: [
      { name: 'a', type: scalar('text') },
      { name: 'a b', type: { kind: 'range', name: 'r', subtype: scalar('timestamptz') } },
    ],
  };
  const part = fc.constantFrom(
    '<Record ',
    '<Range ',
    'a=',
    'a b=',
    "'x'",
    '"',
    "'",
    '\\',
    ' ',
    ', ',
    '[',
    '(',
    ')',
    ']',
    '>',
    'None',
    '1',
    'nan',
    "Decimal('1')",
    'datetime.datetime(2026, 1, 1',
    'tzinfo=',
    'b',
    '<',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const { error } = slice(
        [Buffer.from(JSON.stringify({ c: `<Record ${parts.join('')}` }))],
        [column('c', type)],
      );
      if (error !== null) expect(error).toEqual(rejected);
    }),
    { numRuns: 3_000 },
  );
});
