import fc from 'fast-check';
import {
  type Moment,
  plainDecimal,
  pythonBits,
  pythonDatetime,
  pythonDecimal,
  pythonFloat,
  pythonInterval,
  pythonMoment,
  pythonText,
} from './python-value.ts';

/** A value as PostgreSQL reads it, and as the archiver writes it. */
export interface ArchivedValue {
  /** What the input function of the type takes; null: NULL. */
  readonly sql: string | null;
  /** Of the archive's record. */
  readonly json: string;
  /** Python's `repr`, for where the value stands in a range or composite. */
  readonly repr?: string;
}

type Values = fc.Arbitrary<ArchivedValue>;

/** One that the archiver writes into a string. */
function inString(sql: string, archived: string, repr = pythonText(archived)): ArchivedValue {
  return { sql, json: JSON.stringify(archived), repr };
}

const asItIs = (text: string) => inString(text, text);
const bare = (text: string): ArchivedValue => ({ sql: text, json: text, repr: text });

/** Any text that PostgreSQL has, often with what is special to JSON, COPY, arrays, CSV or Python. */
export const anyText = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...'\\"\'{}()[],;<>:= \n\r\t\b\f\u0001\u007f\u0085\u2028\ufeffNULTZ\\.$é漢🧊'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((text) => text !== '\0'),
  ),
  maxLength: 20,
});

const moment: fc.Arbitrary<Moment> = fc.oneof(
  fc.record({ at: fc.integer({ min: -62_135_596_799_000, max: 253_402_300_798_000 }), micros: fc.nat(999) }),
  // Most have whole seconds.
  fc
    .integer({ min: -62_135_596_799, max: 253_402_300_798 })
    .map((seconds) => ({ at: seconds * 1000, micros: 0 })),
);
const day = moment.map(({ at }) => new Date(at).toISOString().slice(0, 10));
const clock = moment.map((each) => pythonMoment(each).slice(11));
const bigint = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const number = fc.double({ noNaN: true, noDefaultInfinity: true });
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const bits = (min: number, max = min) =>
  fc
    .string({ unit: fc.constantFrom('0', '1'), minLength: min, maxLength: max })
    .map((text) => inString(text, pythonBits(text)));
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));

export const decimal: Values = fc
  .tuple(
    fc.boolean(),
    fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 60 }),
    fc.nat(30),
  )
  .map(([negative, digits, scale]) => {
    const isNegative = negative && /[1-9]/.test(digits);
    const archived = pythonDecimal(isNegative, digits, scale);
    const sql = `${isNegative ? '-' : ''}${plainDecimal(digits, scale)}`;
    return inString(sql, archived, `Decimal('${archived}')`);
  });

/** A float of either size: what is in the archive is the double. */
function float(value: fc.Arbitrary<number>): Values {
  return value.map((each) => {
    const archived = pythonFloat(each);
    return { sql: archived, json: archived, repr: archived.replace('NaN', 'nan').replace('Infinity', 'inf') };
  });
}

const timestamp: Values = moment.map((each) =>
  inString(pythonMoment(each), `${pythonMoment(each)}Z`, pythonDatetime(each, null)),
);
const timestamptz: Values = moment.map((each) =>
  inString(
    `${pythonMoment(each)}+00`,
    `${pythonMoment(each)}+00:00`,
    pythonDatetime(each, 'datetime.timezone.utc'),
  ),
);
const date: Values = day.map((each) => {
  const [year, month, of] = each.split('-').map(Number);
  return inString(each, each, `datetime.date(${year}, ${month}, ${of})`);
});

const jsonValue = fc
  .oneof(
    fc.json({ maxDepth: 3 }),
    // jsonb has no U+0000, and the driver gives PostgreSQL's own text.
    fc.constantFrom(
      '"hi"',
      'null',
      'true',
      '123',
      '1.50',
      '-0.00',
      '12345678901234567890.10',
      '{"a": [1, {"b": null}]}',
      '""',
      '[]',
    ),
  )
  .filter((text) => !text.includes('\\u0000') && !/\\ud[89a-f]/i.test(text));

const pair = fc.tuple(number, number);
const point = ([x, y]: [number, number]) => `[${pythonFloat(x)}, ${pythonFloat(y)}]`;
const sqlPoint = ([x, y]: [number, number]) => `(${pythonFloat(x)},${pythonFloat(y)})`;

const address = fc.oneof(
  fc.tuple(fc.ipV4(), fc.option(fc.nat(31))),
  fc.tuple(
    fc.ipV6().filter((text) => !text.includes('.')),
    fc.option(fc.nat(127)),
  ),
);

/** Values of each base type by its name as SQL. */
export const scalars: Readonly<Record<string, Values>> = {
  smallint: fc.integer({ min: -32_768, max: 32_767 }).map((value) => bare(String(value))),
  integer: fc.integer().map((value) => bare(String(value))),
  bigint: bigint.map((value) => bare(String(value))),
  oid: fc.nat(2 ** 32 - 1).map((value) => bare(String(value))),
  boolean: fc
    .boolean()
    .map((value) => ({ sql: String(value), json: String(value), repr: value ? 'True' : 'False' })),
  real: float(fc.float()),
  'double precision': float(fc.double()),
  numeric: fc.oneof(
    decimal,
    fc.constantFrom('NaN', 'Infinity', '-Infinity').map((text) => inString(text, text, `Decimal('${text}')`)),
  ),
  text: anyText.map(asItIs),
  'varchar(30)': anyText.map(asItIs),
  'char(12)': anyText
    .map((text) => [...text].slice(0, 12).join(''))
    .map((text) => asItIs(text + ' '.repeat(12 - [...text].length))),
  name: fc.string({ unit: fc.constantFrom(...'ab "\'é'), maxLength: 20 }).map(asItIs),
  '"char"': fc
    .integer({ min: 1, max: 127 })
    .filter((code) => code !== 92)
    .map((code) => {
      const character = String.fromCharCode(code);
      return inString(character, Buffer.from(character).toString('base64'), `b${pythonText(character)}`);
    }),
  bytea: bytes.map((value) => inString(`\\x${value.toString('hex')}`, value.toString('base64'))),
  uuid: fc.uuid().map(asItIs),
  timestamp,
  'timestamp with time zone': timestamptz,
  date,
  time: clock.map(asItIs),
  'time with time zone': fc
    .tuple(clock, fc.constantFrom('+00:00', '+05:30', '-03:30', '+14:00', '-11:00'))
    .map(([time, offset]) => asItIs(`${time}${offset}`)),
  interval: fc
    .bigInt({ min: -86_399_999_999_999n * 1_000n, max: 86_399_999_999_999n * 1_000n })
    .chain((micros) => fc.constantFrom(micros, (micros / 1_000_000n) * 1_000_000n, micros % 86_400_000_000n))
    .map((micros) => inString(`${micros} microseconds`, pythonInterval(micros))),
  json: jsonValue.map(asItIs),
  jsonb: jsonValue.map(asItIs),
  inet: address.map(([ip, length]) => asItIs(length === null ? ip : `${ip}/${length}`)),
  cidr: fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => asItIs(`${a}.${b}.0.0/16`)),
  macaddr: hex(12).map((text) => asItIs(text.replaceAll(/..(?=.)/g, '$&:'))),
  'bit(11)': bits(11),
  varbit: bits(0, 20),
  money: fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }).map((cents) => {
    const size = cents < 0n ? -cents : cents;
    const whole = String(size / 100n).replaceAll(/\B(?=(\d{3})+$)/g, ',');
    return asItIs(`${cents < 0n ? '-' : ''}$${whole}.${String(size % 100n).padStart(2, '0')}`);
  }),
  point: pair.map((value) => ({ sql: sqlPoint(value), json: point(value) })),
  lseg: fc
    .tuple(pair, pair)
    .map(([a, b]) => ({ sql: `[${sqlPoint(a)},${sqlPoint(b)}]`, json: `[${point(a)}, ${point(b)}]` })),
  circle: fc.tuple(pair, fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })).map(([at, r]) => ({
    sql: `<${sqlPoint(at)},${pythonFloat(r)}>`,
    json: `[${point(at)}, ${pythonFloat(r)}]`,
  })),
  pg_lsn: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((position) => ({
    sql: `${(position >> 32n).toString(16)}/${(position & 0xffffffffn).toString(16)}`,
    json: String(BigInt.asIntN(64, position)),
  })),
  xml: fc
    .string({ unit: fc.constantFrom(...'ab é"\'\n') })
    .map((text) => asItIs(`<a b="1">${text}</a>${text}`)),
  tsvector: fc
    .uniqueArray(fc.stringMatching(/^[a-z]{1,5}$/), { maxLength: 4 })
    .map((words) => asItIs(words.map((word, at) => `'${word}':${at + 1}`).join(' '))),
  hstore: fc.dictionary(anyText, fc.option(anyText)).map((map) => {
    const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
    return asItIs(
      Object.entries(map)
        .map(([key, value]) => `${quoted(key)}=>${value === null ? 'NULL' : quoted(value)}`)
        .join(', '),
    );
  }),
  citext: anyText.map(asItIs),
};

/** Sometimes NULL. */
export function orNull(values: Values): Values {
  return fc.option(values).map((value) => value ?? { sql: null, json: 'null', repr: 'None' });
}

/** An array of one dimension, with NULLs in it. */
export function listOf(values: Values): Values {
  return fc.array(orNull(values), { maxLength: 4 }).map(arrayFrom);
}

/** An array of one or two dimensions, with NULLs in it. */
export function arrayOf(values: Values): Values {
  const rows = (width: number) =>
    fc.array(fc.array(orNull(values), { minLength: width, maxLength: width }), {
      minLength: 1,
      maxLength: 3,
    });
  const deep = fc
    .integer({ min: 1, max: 3 })
    .chain(rows)
    .map((lists) => {
      const parts = lists.map(arrayFrom);
      return {
        sql: `{${parts.map(({ sql }) => sql).join(',')}}`,
        json: `[${parts.map(({ json }) => json).join(', ')}]`,
      };
    });
  return fc.oneof(listOf(values), deep);
}

function arrayFrom(items: readonly ArchivedValue[]): ArchivedValue {
  const sql = items.map((item) =>
    item.sql === null ? 'NULL' : `"${item.sql.replaceAll(/["\\]/g, '\\$&')}"`,
  );
  return { sql: `{${sql.join(',')}}`, json: `[${items.map(({ json }) => json).join(', ')}]` };
}

/** A range; the two bounds are in order. */
export function rangeOf(values: Values, compare: (a: string, b: string) => number): Values {
  const bound = fc.option(values);
  return fc.tuple(bound, bound, fc.boolean()).map(([a, b, isEmpty]) => {
    const [lower, upper] =
      a !== null && b !== null && compare(a.sql ?? '', b.sql ?? '') > 0 ? [b, a] : [a, b];
    const isNothing = isEmpty || (lower !== null && lower.sql === upper?.sql);
    if (isNothing) return inString('empty', '<Range empty>', '<Range empty>');
    const open = lower === null ? '(' : '[';
    const text = `<Range ${open}${lower === null ? '' : lower.repr}, ${upper === null ? '' : upper.repr})>`;
    const sql = `${open}${lower === null ? '' : `"${lower.sql}"`},${upper === null ? '' : `"${upper.sql}"`})`;
    return inString(sql, text, text);
  });
}

/** A multirange: ranges in any order, which may overlap. */
export function multirangeOf(ranges: Values): Values {
  return fc.array(ranges, { maxLength: 3 }).map((items) => ({
    sql: `{${items
      .map(({ sql }) => sql)
      .filter((sql) => sql !== 'empty')
      .join(',')}}`,
    json: `[${items.map(({ json }) => json).join(', ')}]`,
  }));
}

/** A composite value of these fields. */
export function recordOf(fields: Readonly<Record<string, Values>>): Values {
  return fc
    .record(Object.fromEntries(Object.entries(fields).map(([name, values]) => [name, orNull(values)])))
    .map((record) => {
      const parts = Object.entries(record) as [string, ArchivedValue][];
      const text = `<Record ${parts.map(([name, { repr }]) => `${name}=${repr}`).join(' ')}>`;
      const sql = `(${parts.map(([, each]) => (each.sql === null ? '' : `"${each.sql.replaceAll('\\', '\\\\').replaceAll('"', '""')}"`)).join(',')})`;
      return inString(sql, text, text);
    });
}
