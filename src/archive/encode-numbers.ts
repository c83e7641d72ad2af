import { JsonNumber, type JsonValue, scalarText } from './json-value.ts';
import { BadValue } from './slice-error.ts';

// Types that the archiver writes as numbers, or as arrays of numbers, and PostgreSQL reads in a notation
// of its own. A string is taken to be in that notation already.

function numberText(value: JsonValue | undefined): string {
  if (value instanceof JsonNumber) return value.lexeme;
  throw new BadValue('has something other than a number in it');
}

function items(value: JsonValue, count: number): readonly JsonValue[] {
  if (!Array.isArray(value) || value.length !== count) throw new BadValue(`is not an array of ${count}`);
  return value;
}

function orText(build: (value: JsonValue) => string): (value: JsonValue) => string | null {
  return (value) => {
    if (value === null || typeof value === 'string') return value;
    return build(value);
  };
}

function point(value: JsonValue | undefined): string {
  const [x, y] = items(value ?? null, 2);
  return `(${numberText(x)},${numberText(y)})`;
}

/** `point`, archived as `[x, y]`. */
export const pointText = orText(point);

/** `line`, archived as `[A, B, C]`. */
export const lineText = orText((value) => `{${items(value, 3).map(numberText).join(',')}}`);

/** `lseg`, archived as `[[x, y], [x, y]]`. */
export const segmentText = orText((value) => `[${items(value, 2).map(point).join(',')}]`);

/** `box`, archived like `lseg`. */
export const boxText = orText((value) => items(value, 2).map(point).join(','));

/** `circle`, archived as `[[x, y], r]`. */
export const circleText = orText((value) => {
  const [center, radius] = items(value, 2);
  return `<${point(center)},${numberText(radius)}>`;
});

/** `tid`, archived as `[block, offset]`. */
export const tidText = orText((value) => {
  const [block, offset] = items(value, 2);
  return `(${numberText(block)},${numberText(offset)})`;
});

/** `pg_snapshot` and `txid_snapshot`, archived as `[xmin, xmax, [xid, …]]`. */
export const snapshotText = orText((value) => {
  const [xmin, xmax, running] = items(value, 3);
  if (!Array.isArray(running)) throw new BadValue('is no snapshot');
  return `${numberText(xmin)}:${numberText(xmax)}:${running.map(numberText).join(',')}`;
});

/** `int2vector` and `oidvector`, archived as arrays of integers. */
export const vectorText = orText((value) => {
  if (!Array.isArray(value)) throw new BadValue('is no array of numbers');
  return value.map(numberText).join(' ');
});

/** `pg_lsn`, archived as an integer of 64 bits; those from 2^63 on came out negative. */
export const lsnText = orText((value) => {
  const lexeme = scalarText(value);
  if (!/^-?\d{1,20}$/.test(lexeme)) throw new BadValue('is no position in the log');
  const position = BigInt(lexeme);
  if (position < -(2n ** 63n) || position >= 2n ** 64n) throw new BadValue('is no position in the log');
  const unsigned = BigInt.asUintN(64, position);
  return `${(unsigned >> 32n).toString(16)}/${(unsigned & 0xffffffffn).toString(16)}`.toUpperCase();
});
