import type { SqlToken } from './sql-token.ts';

/** A name as a statement writes it; no schema where it goes by `search_path`. */
export interface SqlName {
  readonly schema: string | null;
  readonly name: string;
  /** Index of the token behind it. */
  readonly end: number;
}

type Tokens = readonly SqlToken[];

/** The name that begins at a token; null where there is none. */
export function nameAt(tokens: Tokens, at: number): SqlName | null {
  const first = identifierAt(tokens, at);
  if (first === null) return null;
  const second = isSymbol(tokens, at + 1, '.') ? identifierAt(tokens, at + 2) : null;
  if (second === null) return { schema: null, name: first, end: at + 1 };
  return { schema: first, name: second, end: at + 3 };
}

/**
 * The table of `copy … from stdin`; null for any other statement, and `'unknown'` for a COPY from the client that
 * pg_dump does not write, with options of which the end of the data may depend.
 */
export function copyTarget(tokens: Tokens): SqlName | 'unknown' | null {
  if (!isWord(tokens, 0, 'copy') || !tokens.some((_, at) => isWord(tokens, at, 'stdin'))) return null;
  const table = nameAt(tokens, 1);
  if (table === null) return 'unknown';
  let at = table.end;
  if (isSymbol(tokens, at, '(')) {
    at = tokens.findIndex((_, index) => isSymbol(tokens, index, ')')) + 1;
  }
  if (isWord(tokens, at, 'with') && isWord(tokens, at + 1, 'oids')) at += 2;
  const isKnown = isWord(tokens, at, 'from') && isWord(tokens, at + 1, 'stdin') && tokens.length === at + 2;
  return isKnown ? table : 'unknown';
}

/** A `set name = value`, `set name to value`; null for any other statement. */
export function settingOf(
  tokens: Tokens,
): { readonly name: string; readonly values: readonly string[] } | null {
  if (!isWord(tokens, 0, 'set')) return null;
  const name = nameAt(tokens, 1);
  if (name === null) return null;
  if (!isSymbol(tokens, name.end, '=') && !isWord(tokens, name.end, 'to')) return null;
  const values = tokens.slice(name.end + 1).filter((token) => token.kind !== 'symbol');
  return { name: name.name, values: values.map((token) => token.text) };
}

/** The roles that a statement needs: new owners, who is granted something or loses it, who policies are for. */
export function rolesOf(tokens: Tokens): string[] {
  switch (wordAt(tokens, 0)) {
    case 'alter':
      return isWord(tokens, 1, 'default')
        ? [...rolesAfter(tokens, 'for'), ...granted(tokens)]
        : owners(tokens);
    case 'grant':
    case 'revoke':
      return granted(tokens);
    case 'create':
      if (isWord(tokens, 1, 'schema')) return rolesAfter(tokens, 'authorization');
      if (isWord(tokens, 1, 'policy')) return rolesAfter(tokens, 'to');
      return isWord(tokens, 1, 'user') && isWord(tokens, 2, 'mapping') ? rolesAfter(tokens, 'for') : [];
    case 'set':
      if (!isWord(tokens, 1, 'session') || !isWord(tokens, 2, 'authorization')) return [];
      return tokens
        .slice(3, 4)
        .flatMap(({ kind, text }) => (kind === 'word' && text === 'default' ? [] : [text]));
    default:
      return [];
  }
}

/** What `create extension|role|database` makes; null for any other statement. */
export function createdBy(tokens: Tokens, kind: 'extension' | 'role' | 'database'): string | null {
  if (!isWord(tokens, 0, 'create') || !isWord(tokens, 1, kind)) return null;
  return nameAt(tokens, isWord(tokens, 2, 'if') ? 5 : 2)?.name ?? null;
}

/** Whether a statement begins, ends or cuts a transaction. */
export function controlsTransaction(tokens: Tokens): boolean {
  const word = wordAt(tokens, 0) ?? '';
  if (word === 'prepare' || word === 'start') return isWord(tokens, 1, 'transaction');
  return /^(?:abort|begin|commit|end|rollback)$/.test(word);
}

/** Whether a word stands at a place, unquoted. */
export function isWord(tokens: Tokens, at: number, word: string): boolean {
  return wordAt(tokens, at) === word;
}

function owners(tokens: Tokens): string[] {
  const at = tokens.findIndex(
    (_, index) => isWord(tokens, index, 'owner') && isWord(tokens, index + 1, 'to'),
  );
  const role = at === -1 ? null : identifierAt(tokens, at + 2);
  return role === null ? [] : [role];
}

function granted(tokens: Tokens): string[] {
  return [...rolesAfter(tokens, 'to'), ...rolesAfter(tokens, 'from'), ...rolesAfter(tokens, 'by')];
}

/** The list of roles behind a key word, which is reserved and so stands nowhere unquoted but there. */
function rolesAfter(tokens: Tokens, word: string): string[] {
  let at = tokens.findIndex((_, index) => isWord(tokens, index, word));
  if (at === -1) return [];
  const roles: string[] = [];
  do {
    at += 1;
    if (word === 'for' && (isWord(tokens, at, 'role') || isWord(tokens, at, 'user'))) at += 1;
    if (isWord(tokens, at, 'group') && identifierAt(tokens, at + 1) !== null) at += 1;
    const role = identifierAt(tokens, at);
    const isKeyword = /^(?:public|current_user|current_role|session_user)$/.test(wordAt(tokens, at) ?? '');
    if (role !== null && !isKeyword) roles.push(role);
    at += 1;
  } while (isSymbol(tokens, at, ','));
  return roles;
}

function identifierAt(tokens: Tokens, at: number): string | null {
  const token = tokens[at];
  return token?.kind === 'word' || token?.kind === 'name' ? token.text : null;
}

function wordAt(tokens: Tokens, at: number): string | null {
  const token = tokens[at];
  return token?.kind === 'word' ? token.text : null;
}

function isSymbol(tokens: Tokens, at: number, symbol: string): boolean {
  const token = tokens[at];
  return token?.kind === 'symbol' && token.text === symbol;
}
