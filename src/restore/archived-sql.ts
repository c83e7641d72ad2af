/**
 * SQL out of the metadata of archives, which may be anybody's. It is taken over only where it is made of words,
 * literals and operators alone and calls nothing but the functions listed here: none of them writes, reads a
 * table or a file, or waits. What is not understood is refused, so PostgreSQL never sees more than one expression.
 */

/** An index as `pg_get_indexdef` writes it, without its name and its table. */
export interface IndexDefinition {
  readonly unique: boolean;
  readonly method: string;
  /** From its columns on: `(created_at DESC, id) WHERE (kind = 'a'::text)`. */
  readonly rest: string;
}

/** Tells whether a text is one expression that may be taken over into a table. */
export function isSafeExpression(sql: string): boolean {
  return isSafe(sql, expressionWords) && !splitsAtTop(sql);
}

/** Reads the definition of an index; null where it is none that may be taken over. */
export function readIndexDefinition(sql: string): IndexDefinition | null {
  const name = String.raw`(?:"(?:[^"]|"")+"|[^\s".(]+)`;
  const form = new RegExp(
    String.raw`^CREATE (UNIQUE )?INDEX (?:${name}) ON (?:ONLY )?(?:${name}\.)?${name} USING ([a-z_]+) (\(.*)$`,
    's',
  );
  const [, unique, method, rest] = form.exec(sql) ?? [];
  if (method === undefined || rest === undefined || !isSafe(rest, indexWords)) return null;
  return { unique: unique !== undefined, method, rest };
}

/** Longest SQL that is taken over, in characters. */
const longest = 20_000;

/** As PostgreSQL cuts text into words; whatever does not fit, such as `;`, `$1` or `\`, ends the reading. */
const words =
  /[ \t\n\r\f\v]+|(?<text>'(?:[^']|'')*')|(?<name>"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<operator>::|[-+*/<>=~!@#%^&|`?]+|[()[\],.:])/y;

/** Words that may stand before a parenthesis without calling anything. */
const expressionWords = new Set(
  'and or not in any all some between symmetric when then else like ilike similar to from is distinct case end cast as'.split(
    ' ',
  ),
);
const indexWords = new Set([...expressionWords, 'include', 'where', 'with']);

/** Begin a query; PostgreSQL refuses one in all these places, and is not even asked. */
const queries = new Set(['select', 'table', 'values', 'with']);

/** Functions of PostgreSQL that may be called, and its types, which look the same where they have a length. */
const callable = new Set(
  `abs array_length array_position array_to_string bit bit_length box bpchar btrim cardinality ceil ceiling char
  char_length character character_length coalesce concat concat_ws current_date current_timestamp date date_part
  date_trunc daterange decimal decode encode extract family float floor gen_random_uuid greatest host initcap
  int4range int8range interval isempty isfinite json_array_length json_typeof jsonb_array_length
  jsonb_extract_path jsonb_extract_path_text jsonb_typeof least left length localtimestamp lower lower_inf ltrim
  masklen md5 mod now nullif num_nonnulls num_nulls numeric numrange octet_length position random regexp_replace
  replace reverse right round rtrim sign split_part sqrt starts_with statement_timestamp strpos substr substring
  time timestamp timestamptz timetz timezone to_char to_date to_timestamp to_tsvector transaction_timestamp
  translate trim trunc tsrange tstzrange upper upper_inf uuidv4 uuidv7 varbit varchar varying clock_timestamp`.split(
    /\s+/,
  ),
);

interface Word {
  readonly text: string;
  readonly kind: 'text' | 'name' | 'number' | 'operator';
  /** No blank is before it. */
  readonly touches: boolean;
}

function isSafe(sql: string, plain: ReadonlySet<string>): boolean {
  const list = read(sql);
  return list !== null && isBalanced(list) && list.every((_, place) => isHarmless(list, place, plain));
}

/** The words of a text; null where it holds anything else. */
function read(sql: string): Word[] | null {
  if (sql.length > longest) return null;
  const list: Word[] = [];
  let touches = false;
  for (let place = 0; place < sql.length; ) {
    words.lastIndex = place;
    const match = words.exec(sql);
    if (match === null) return null;
    place += match[0].length;
    const found = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined);
    if (found !== undefined) list.push({ text: match[0], kind: found[0] as Word['kind'], touches });
    touches = found !== undefined;
  }
  return list;
}

function isHarmless(list: readonly Word[], place: number, plain: ReadonlySet<string>): boolean {
  const word = list[place];
  const before = list[place - 1];
  if (word === undefined) return false;
  const { text, kind, touches } = word;
  // E'…' has other rules for where it ends; B'…' and X'…' have the same.
  if (kind === 'text') return before?.kind !== 'name' || !touches || /^[bx]$/i.test(before.text);
  if (kind === 'operator' && /--|\/\*/.test(text)) return false;
  // A dot stands in the name of a type only: what it would call elsewhere is not told by its name alone.
  if (text === '.') return list[place - 2]?.text === '::' && list[place + 1]?.kind === 'name';
  if (text === '(') return before?.kind !== 'name' || mayCall(list, place - 1, plain);
  if (kind !== 'name' || text.startsWith('"')) return true;
  const name = text.toLowerCase();
  return !queries.has(name) || plain.has(name);
}

function mayCall(list: readonly Word[], place: number, plain: ReadonlySet<string>): boolean {
  const { text } = list[place] ?? { text: '' };
  if (list[place - 1]?.text === '.') return false;
  if (text.startsWith('"')) return callable.has(text.slice(1, -1));
  const name = text.toLowerCase();
  return plain.has(name) || callable.has(name);
}

function isBalanced(list: readonly Word[]): boolean {
  const open: string[] = [];
  for (const { text } of list) {
    if (text === '(' || text === '[') open.push(text);
    if (text === ')' && open.pop() !== '(') return false;
    if (text === ']' && open.pop() !== '[') return false;
  }
  return open.length === 0 && list.length > 0;
}

/** Tells whether a text is a list, not one expression. */
function splitsAtTop(sql: string): boolean {
  let depth = 0;
  for (const { text } of read(sql) ?? []) {
    if (text === '(' || text === '[') depth++;
    if (text === ')' || text === ']') depth--;
    if (text === ',' && depth === 0) return true;
  }
  return false;
}
