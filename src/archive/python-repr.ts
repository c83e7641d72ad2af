import { JsonNumber, type JsonValue } from './json-value.ts';
import { BadValue } from './slice-error.ts';

/**
 * Reads values as Python prints them (`repr`): the archiver writes ranges and composites as such a text.
 * Each value comes out as the archive holds one of its type when it stands alone, so that the same
 * functions make PostgreSQL's text of both: a datetime is ISO 8601 with `Z` or an offset, bytes are
 * base64, a range or a composite is its own text again.
 */
export class PythonReader {
  readonly #text: string;
  #at: number;

  constructor(text: string, at = 0) {
    this.#text = text;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  /** Steps over `expected` if it comes next, and tells whether it did. */
  takes(expected: string): boolean {
    if (!this.#text.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }

  /** Steps over `expected`, which must come next. */
  expect(expected: string): void {
    if (!this.takes(expected)) throw unreadable();
  }

  /** The next value. */
  value(): JsonValue {
    const text = this.#text;
    switch (text[this.#at]) {
      case "'":
      case '"':
        return this.#string();
      case 'b':
        this.#at += 1;
        return Buffer.from(this.#string(), 'latin1').toString('base64');
      case '[':
        this.#at += 1;
        return this.#items(']');
      case '(':
        this.#at += 1;
        return this.#items(')');
      case '<':
        return this.#angled();
      default:
        return this.#word(wordAt(text, this.#at));
    }
  }

  #word(word: string): JsonValue {
    this.#at += word.length;
    if (word === 'None') return null;
    if (word === 'True') return true;
    if (word === 'False') return false;
    if (word === 'nan') return new JsonNumber('NaN');
    if (word === 'inf') return new JsonNumber('Infinity');
    if (word === '-inf') return new JsonNumber('-Infinity');
    if (/^-?\d/.test(word)) return new JsonNumber(word);
    this.expect('(');
    return this.#constructed(word);
  }

  /** A value that is printed as the call that makes it; its opening parenthesis is passed. */
  #constructed(name: string): JsonValue {
    const numbers: number[] = [];
    const named = new Map<string, JsonValue>();
    let zone = 'Z';
    let only: JsonValue = null;
    while (!this.takes(')')) {
      const key = this.#keyword();
      if (key === 'tzinfo') {
        zone = this.#zone();
      } else {
        only = this.value();
        if (key !== null) named.set(key, only);
        else if (only instanceof JsonNumber) numbers.push(Number(only.lexeme));
      }
      this.takes(', ');
    }
    switch (name) {
      case 'datetime.datetime':
        return `${dateOf(numbers)}T${timeOf(numbers.slice(3))}${zone}`;
      case 'datetime.date':
        return dateOf(numbers);
      case 'datetime.time':
        return timeOf(numbers) + (zone === 'Z' ? '' : zone);
      case 'datetime.timedelta':
        return intervalOf(named);
      default:
        // Decimal('1.5'), UUID('…'), IPv4Address('…'), asyncpg.pgproto.types.Point((1.0, 2.0)) and others of one part.
        return only;
    }
  }

  #keyword(): string | null {
    const keyword = /([a-z]+)=/y;
    keyword.lastIndex = this.#at;
    const [whole, name] = keyword.exec(this.#text) ?? [];
    this.#at += whole?.length ?? 0;
    return name ?? null;
  }

  /** An offset such as `+05:30`. */
  #zone(): string {
    if (this.takes('datetime.timezone.utc')) return '+00:00';
    this.expect('datetime.timezone(datetime.timedelta(');
    let seconds = 0;
    while (!this.takes('))')) {
      const unit = this.#keyword();
      const amount = this.value();
      if (!(amount instanceof JsonNumber)) throw unreadable();
      seconds += Number(amount.lexeme) * (unit === 'days' ? 86_400 : 1);
      this.takes(', ');
    }
    const minutes = Math.abs(Math.trunc(seconds / 60));
    const rest = Math.abs(seconds) % 60;
    const sign = seconds < 0 ? '-' : '+';
    return `${sign}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}${rest === 0 ? '' : `:${two(rest)}`}`;
  }

  #items(close: string): JsonValue[] {
    const items: JsonValue[] = [];
    while (!this.takes(close)) {
      items.push(this.value());
      if (!this.takes(', ')) this.takes(',');
    }
    return items;
  }

  #string(): string {
    const text = this.#text;
    const mark = text[this.#at] as string;
    let value = '';
    let p = this.#at + 1;
    for (;;) {
      const c = text[p];
      if (c === undefined) throw unreadable();
      if (c === mark) break;
      if (c === '\\') {
        const [character, length] = escaped(text, p + 1);
        value += character;
        p += 1 + length;
      } else {
        value += c;
        p += 1;
      }
    }
    this.#at = p + 1;
    return value;
  }

  /** `<Range …>`, `<Record …>`, `<BitString …>` and what has no repr of its own: the text as far as the `>` that closes it. */
  #angled(): string {
    const start = this.#at;
    const kind = /^<(?:Range|Record) /.exec(this.#text.slice(start, start + 8))?.[0];
    if (kind === undefined) {
      const end = this.#text.indexOf('>', start);
      if (end === -1) throw unreadable();
      this.#at = end + 1;
    } else {
      this.#at += kind.length;
      this.#skipToClose();
    }
    return this.#text.slice(start, this.#at);
  }

  /** Steps over a closing `>`; those within strings do not count, and those of inner values are stepped over with them. */
  #skipToClose(): void {
    for (;;) {
      const c = this.#text[this.#at];
      if (c === undefined) throw unreadable();
      if (c === '<') {
        this.#angled();
      } else if (c === "'" || c === '"') {
        this.#string();
      } else {
        this.#at += 1;
        if (c === '>') return;
      }
    }
  }
}

export function unreadable(): BadValue {
  return new BadValue("is not what the archiver writes for its type (Python's notation)");
}

function wordAt(text: string, at: number): string {
  const word = /[\w.+-]+/y;
  word.lastIndex = at;
  const found = word.exec(text)?.[0];
  if (found === undefined) throw unreadable();
  return found;
}

const simpleEscapes = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
]);
const hexDigitsOf = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);

/** The character that the escape behind a backslash stands for, and the length of the escape. */
function escaped(text: string, at: number): [string, number] {
  const letter = text[at] ?? '';
  const simple = simpleEscapes.get(letter);
  if (simple !== undefined) return [simple, 1];
  const length = hexDigitsOf.get(letter);
  const digits = text.slice(at + 1, at + 1 + (length ?? 0));
  if (length === undefined || !/^[0-9a-f]+$/i.test(digits) || digits.length !== length) throw unreadable();
  return [String.fromCodePoint(Number.parseInt(digits, 16)), 1 + length];
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function dateOf([year, month, day]: readonly number[]): string {
  if (year === undefined || month === undefined || day === undefined) throw unreadable();
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
}

function timeOf([hour = 0, minute = 0, second = 0, microsecond = 0]: readonly number[]): string {
  const fraction = microsecond === 0 ? '' : `.${String(microsecond).padStart(6, '0')}`;
  return `${two(hour)}:${two(minute)}:${two(second)}${fraction}`;
}

/** With a sign at each field, since `intervalstyle = sql_standard` takes the first for all. */
function intervalOf(parts: ReadonlyMap<string, JsonValue>): string {
  const fields = ['days', 'seconds', 'microseconds'].map((unit) => {
    const amount = parts.get(unit);
    const count = amount instanceof JsonNumber ? amount.lexeme : '0';
    return `${count.startsWith('-') ? '' : '+'}${count} ${unit}`;
  });
  return fields.join(' ');
}
