export const other = 0;
export const letter = 1;
export const digit = 2;
export const symbol = 3;
const special = 4;

/** What each byte may begin outside of quotes: nothing, a word, a number, a symbol, or what has to be looked at. */
export const classes = new Uint8Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  const char = String.fromCharCode(byte);
  if (/[A-Za-z_]/.test(char) || byte >= 0x80) classes[byte] = letter;
  else if (/[0-9]/.test(char)) classes[byte] = digit;
  else if (/[(),.=]/.test(char)) classes[byte] = symbol;
  else if (/[\n'"$;:\\/-]/.test(char)) classes[byte] = special;
}

/** Text that is the same in every encoding. */
export const isAscii = /^[ -~]*$/;
export const newline = 0x0a;
export const quote = 0x27;
export const doubleQuote = 0x22;
export const backslash = 0x5c;
export const dollar = 0x24;
export const ampersand = 0x26;

/**
 * Names of what psql sets by itself and therefore puts in the place of `:name`, `:'name'` and `:"name"`. Others it leaves as
 * they stand, so that slices of arrays such as `a[b:c]` pass.
 */
export const psqlVariables =
  /^(?:AUTOCOMMIT|COMP_KEYWORD_CASE|DBNAME|ECHO|ECHO_HIDDEN|ENCODING|ERROR|FETCH_COUNT|HIDE_\w+|HIST\w+|HOST|IGNOREEOF|LAST_ERROR_\w+|ON_ERROR_\w+|PIPELINE_\w+|PORT|PROMPT[123]|QUIET|ROW_COUNT|SERVER_\w+|SERVICE|SHELL_\w+|SHOW_\w+|SINGLELINE|SINGLESTEP|SQLSTATE|USER|VERBOSITY|VERSION\w*|WATCH_INTERVAL)$/;

/** Whether a byte may stand in the tag of a dollar quote, and in a word. */
export function isOfTag(byte: number): boolean {
  const kind = classes[byte];
  return kind === letter || kind === digit;
}

/** Where a word ends that begins at a place; the end of the bytes, where it may go on in the next. */
export function endOfWord(bytes: Buffer, at: number): number {
  let end = at + 1;
  while (end < bytes.length && (isOfTag(bytes[end] as number) || bytes[end] === dollar)) end += 1;
  return end;
}

/** A word in lower case, of which PostgreSQL does the same with letters of ASCII only. */
export function wordText(bytes: Buffer, from: number, to: number): string {
  const text = bytes.toString('latin1', from, to);
  if (isAscii.test(text)) return text.toLowerCase();
  return bytes.toString('utf8', from, to).replace(/[A-Z]+/g, (upper) => upper.toLowerCase());
}

/** Where a comment ends, for psql at a carriage return as well; -1 where it goes on. */
export function endOfLine(bytes: Buffer, at: number): number {
  for (let end = at; end < bytes.length; end += 1) {
    if (bytes[end] === newline || bytes[end] === 0x0d) return end;
  }
  return -1;
}
