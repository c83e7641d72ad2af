import { PlainComments } from './plain-comments.ts';
import type { Following, SqlSink, SqlToken } from './sql-token.ts';
import {
  controlsTransaction,
  copyTarget,
  createdBy,
  isWord,
  nameAt,
  rolesOf,
  type SqlName,
  settingOf,
} from './statement.ts';
import { tableName } from './table-name.ts';

/** Rows of one table in a dump. */
export interface DumpedRows {
  /** The database that it lies in, where the dump tells: always in what pg_dumpall writes. */
  readonly database: string | null;
  /** As `tableName` writes it. */
  readonly table: string;
  /** Null where they cannot be told for sure. */
  readonly rows: number | null;
}

interface CountedRows extends DumpedRows {
  rows: number | null;
}

/** Encodings whose characters may hold the byte of a backslash; no server has them, only `pg_dump --encoding`. */
const clientEncodings =
  /^(?:BIG5|GB18030|GBK|JOHAB|SHIFT_?JIS(?:_?2004)?|MSKANJI|SJIS|UHC|WIN(?:936|949|950))$/i;

/** As pg_dump writes it: a plain name, or `dbname='…'` with escapes. Anything else could name another server. */
const connect = /^\\connect (?:([\w.]+)|"([\w.]+)"|-reuse-previous=on "dbname='((?:[^'\\"]|\\['\\]|"")*)'")$/;

/** More tokens tell nothing more. */
const maxTokens = 20_000;

/** Collects what the statements, comments and commands of a plain dump tell. */
export class PlainStatements implements SqlSink {
  readonly comments = new PlainComments();
  readonly databases = new Set<string>();
  readonly extensions = new Set<string>();
  /** Roles that something is owned by or granted to. */
  readonly roles = new Set<string>();
  /** Roles that the dump makes itself. */
  readonly ownRoles = new Set<string>();
  readonly settings = new Map<string, string>();
  /** Statements that begin or end a transaction; pg_dump writes them around large objects. */
  transactionStatements = 0;
  /** Commands that connect anew. */
  connections = 0;
  dropsTables = false;
  /** Whether a statement came behind the last line of the dump. */
  goesOn = false;
  /** The table whose data are about to come. */
  copying: string | null = null;
  readonly #rows = new Map<string, CountedRows>();
  /** Of {@link PlainStatements.#rows}: the table that came last. */
  #last: CountedRows | null = null;
  /** The table whose data were announced and did not come yet: none may come where it has no rows. */
  #announced: string | null = null;
  #tokens: SqlToken[] = [];
  /** Rows of an INSERT; null where they cannot be counted, undefined before its values. */
  #inserted: number | null | undefined;
  #schema = 'public';
  #database: string | null = null;
  #restrictKey: string | null = null;

  /** Rows by table, of those that have none too. */
  rows(): DumpedRows[] {
    this.#announce(null);
    return [...this.#rows.values()];
  }

  /** The data of a COPY have ended. */
  endCopy(rows: number): void {
    if (this.copying !== null) this.#add(this.copying, rows);
    this.copying = null;
  }

  #add(table: string, rows: number | null): void {
    this.#announced = null;
    // INSERTs come in long runs for one table.
    if (this.#last?.table !== table || this.#last.database !== this.#database) {
      this.#last = this.#rowsOf(table);
    }
    const { rows: before } = this.#last;
    this.#last.rows = before === null || rows === null ? null : before + rows;
  }

  #rowsOf(table: string): CountedRows {
    const id = JSON.stringify([this.#database, table]);
    const known = this.#rows.get(id) ?? { database: this.#database, table, rows: 0 };
    this.#rows.set(id, known);
    return known;
  }

  token(token: SqlToken, depth: number): boolean {
    if (this.#inserted !== undefined) {
      // A parenthesis that opens outside of all others opens a row, until `on conflict` follows.
      if (depth > 0 || this.#inserted === null) return false;
      if (token.kind === 'symbol' && token.text === '(' && !this.#isWord(-1, 'on')) this.#inserted += 1;
      if (token.kind === 'word') this.#tokens.push(token);
      return false;
    }
    if (this.#tokens.length < maxTokens) this.#tokens.push(token);
    if (depth > 0 || token.kind !== 'word' || !isWord(this.#tokens, 0, 'insert')) return true;
    if (token.text === 'values') this.#inserted = this.#isWord(-2, 'default') ? 1 : 0;
    else if (/^(?:select|with|table)$/.test(token.text)) this.#inserted = null;
    return this.#inserted === undefined;
  }

  /** Whether a `\restrict` has not been ended by its `\unrestrict`. */
  get isRestricted(): boolean {
    return this.#restrictKey !== null;
  }

  get standardStrings(): boolean {
    return this.settings.get('standard_conforming_strings') !== 'off';
  }

  end(): Following {
    const tokens = this.#tokens;
    const inserted = this.#inserted;
    this.#tokens = [];
    this.#inserted = undefined;
    this.goesOn ||= this.comments.isComplete;
    if (inserted !== undefined) {
      const table = nameAt(tokens, 2);
      if (table !== null) this.#add(this.#tableName(table), inserted);
      return 'sql';
    }
    const copied = copyTarget(tokens);
    if (copied === 'unknown')
      return { refused: 'copies from the client in a way that pg_dump does not write' };
    if (copied === null) return this.#learn(tokens);
    this.copying = this.#tableName(copied);
    return 'copy';
  }

  #learn(tokens: readonly SqlToken[]): Following {
    if (controlsTransaction(tokens)) this.transactionStatements += 1;
    if (isWord(tokens, 0, 'drop') && isWord(tokens, 1, 'table')) this.dropsTables = true;
    for (const role of rolesOf(tokens)) this.roles.add(role);
    learn(this.extensions, createdBy(tokens, 'extension'));
    learn(this.ownRoles, createdBy(tokens, 'role'));
    learn(this.databases, createdBy(tokens, 'database'));
    const setting = settingOf(tokens);
    if (setting === null) return 'sql';
    const [value = ''] = setting.values;
    this.settings.set(setting.name, value);
    if (setting.name === 'search_path') this.#schema = value;
    if (setting.name === 'client_encoding' && clientEncodings.test(value)) {
      return {
        refused: 'asks for an encoding whose letters may hold backslashes; dump with --encoding=UTF8',
      };
    }
    return setting.name === 'standard_conforming_strings' ? 'alone' : 'sql';
  }

  comment(text: string): void {
    const announced = this.comments.take(text);
    if (announced?.kind !== 'TABLE DATA') return;
    this.#announce(tableName(announced.schema ?? this.#schema, announced.name));
  }

  command(line: string): boolean {
    const restricted = /^\\(un)?restrict ([A-Za-z0-9]+)$/.exec(line);
    if (restricted !== null) return this.#restrict(restricted[1] === undefined, restricted[2] as string);
    // Stands before a `\connect` with a name that is not plain.
    if (line === '\\encoding SQL_ASCII') return true;
    const connected = connect.exec(line);
    if (connected === null) return false;
    const [, bare, quoted, escaped] = connected;
    this.#database = bare ?? quoted ?? (escaped as string).replaceAll('""', '"').replace(/\\(.)/g, '$1');
    this.connections += 1;
    this.#schema = 'public';
    this.databases.add(this.#database);
    return true;
  }

  /** psql itself takes the end of a restriction only with the key that it began with. */
  #restrict(begins: boolean, key: string): boolean {
    if (this.#restrictKey !== (begins ? null : key)) return false;
    this.#restrictKey = begins ? key : null;
    return true;
  }

  #announce(table: string | null): void {
    const before = this.#announced;
    if (before !== null) this.#add(before, 0);
    this.#announced = table;
  }

  #tableName({ schema, name }: SqlName): string {
    return tableName(schema ?? this.#schema, name);
  }

  #isWord(fromEnd: number, word: string): boolean {
    return isWord(this.#tokens, this.#tokens.length + fromEnd, word);
  }
}

function learn(names: Set<string>, name: string | null): void {
  if (name !== null) names.add(name);
}
