// Values as Python and the archiver's driver write them.

/** `repr` of a float, which json.dumps writes too, but for the words of its own. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e16) return Object.is(value, -0) ? '-0.0' : value.toFixed(1);
  if (size >= 1e16 || size < 1e-4) {
    const [digits = '', exponent = ''] = value.toExponential().split('e');
    return `${digits}e${exponent.replace(/^([+-])(\d)$/, '$10$2')}`;
  }
  return String(value);
}

/** `str` of a Decimal with these digits, the last `scale` of them behind the point. */
export function pythonDecimal(negative: boolean, digits: string, scale: number): string {
  const significant = digits.replace(/^0+(?=\d)/, '');
  const exponent = significant.length - 1 - scale;
  const sign = negative ? '-' : '';
  if (exponent >= -6) return `${sign}${plainDecimal(digits, scale)}`;
  const rest = significant.length === 1 ? '' : `.${significant.slice(1)}`;
  return `${sign}${significant[0]}${rest}E${exponent}`;
}

/** The same as PostgreSQL writes it. */
export function plainDecimal(digits: string, scale: number): string {
  const padded = digits.padStart(scale + 1, '0');
  const whole = padded.slice(0, padded.length - scale).replace(/^0+(?=\d)/, '');
  return scale === 0 ? whole : `${whole}.${padded.slice(-scale)}`;
}

/** `repr` of a str. */
export function pythonText(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const named = new Map([
    ['\n', '\\n'],
    ['\r', '\\r'],
    ['\t', '\\t'],
    ['\\', '\\\\'],
    [mark, `\\${mark}`],
  ]);
  const characters = [...text].map((character) => {
    const short = named.get(character);
    if (short !== undefined) return short;
    if (character === ' ' || !/[\p{C}\p{Z}]/u.test(character)) return character;
    const point = character.codePointAt(0) ?? 0;
    if (point < 0x100) return `\\x${point.toString(16).padStart(2, '0')}`;
    if (point < 0x10000) return `\\u${point.toString(16).padStart(4, '0')}`;
    return `\\U${point.toString(16).padStart(8, '0')}`;
  });
  return `${mark}${characters.join('')}${mark}`;
}

/** A moment without zone. */
export interface Moment {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** 0 to 999, behind the milliseconds. */
  readonly micros: number;
}

/** `isoformat` without an offset: a fraction only where there is one. */
export function pythonMoment({ at, micros }: Moment, between = 'T'): string {
  const iso = new Date(at).toISOString();
  const fraction = `${iso.slice(20, 23)}${String(micros).padStart(3, '0')}`;
  return `${iso.slice(0, 10)}${between}${iso.slice(11, 19)}${fraction === '000000' ? '' : `.${fraction}`}`;
}

/** `repr` of a datetime: seconds and microseconds only where there are some. */
export function pythonDatetime({ at, micros }: Moment, zone: string | null): string {
  const date = new Date(at);
  const fraction = date.getUTCMilliseconds() * 1000 + micros;
  const seconds = date.getUTCSeconds();
  const parts = [
    ...[date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()],
    ...[date.getUTCHours(), date.getUTCMinutes()],
    ...(seconds !== 0 || fraction !== 0 ? [seconds] : []),
    ...(fraction !== 0 ? [fraction] : []),
  ];
  return `datetime.datetime(${parts.join(', ')}${zone === null ? '' : `, tzinfo=${zone}`})`;
}

/** `str` of a timedelta of so many microseconds. */
export function pythonInterval(micros: bigint): string {
  const day = 86_400_000_000n;
  const days = micros < 0n ? (micros - day + 1n) / day : micros / day;
  const rest = micros - days * day;
  const clock = [rest / 3_600_000_000n, (rest / 60_000_000n) % 60n, (rest / 1_000_000n) % 60n];
  const [hours = 0n, minutes = 0n, seconds = 0n] = clock;
  const two = (value: bigint) => String(value).padStart(2, '0');
  const fraction = rest % 1_000_000n === 0n ? '' : `.${String(rest % 1_000_000n).padStart(6, '0')}`;
  const text = `${hours}:${two(minutes)}:${two(seconds)}${fraction}`;
  if (days === 0n) return text;
  return `${days} day${days === 1n || days === -1n ? '' : 's'}, ${text}`;
}

/** The driver's text of a string of bits: groups of four from the left. */
export function pythonBits(bits: string): string {
  return `<BitString ${bits.replaceAll(/(.{4})(?=.)/g, '$1 ')}>`;
}
