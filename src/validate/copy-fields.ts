import * as ascii from '../archive/ascii.ts';

/** What a letter behind a backslash stands for in COPY text; any other character stands for itself. */
const meanings: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** The text that a field of COPY text stands for; null for `\N`. */
export function copyField(bytes: Buffer, start: number, end: number): string | null {
  if (end - start === 2 && bytes[start] === ascii.backslash && bytes[start + 1] === ascii.upperN) return null;
  const text = bytes.toString('utf8', start, end);
  return text.includes('\\')
    ? text.replaceAll(/\\(.)/g, (_, character: string) => meanings[character] ?? character)
    : text;
}

/** The values of COPY text of one column, a row each. */
export function* copyValues(bytes: Buffer): Generator<string | null> {
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(ascii.newline, start);
    yield copyField(bytes, start, end);
    start = end + 1;
  }
}
