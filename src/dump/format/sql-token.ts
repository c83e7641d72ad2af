/** What a statement is made of. */
export interface SqlToken {
  /** `word`: a key word or a name without quotes; `name`: a quoted one; `symbol`: one of `( ) , .` or `=`. */
  readonly kind: 'word' | 'name' | 'string' | 'symbol';
  /** A word in lower case, as PostgreSQL takes it; names and strings without their quotes, strings cut at 1,000 bytes. */
  readonly text: string;
}

/** What may follow a statement: anything, the data of a COPY on the next line, anything but not on the same line. */
export type Following = 'sql' | 'copy' | 'alone' | { readonly refused: string };

/** Who is told what the lexer finds. */
export interface SqlSink {
  /** As `set standard_conforming_strings` said: whether a backslash in `'…'` is nothing special. */
  readonly standardStrings: boolean;
  /**
   * One token; `depth` counts parentheses around it.
   *
   * @returns whether tokens within parentheses are wanted from here to the end of the statement
   */
  token(token: SqlToken, depth: number): boolean;
  /** The statement has ended with its semicolon. */
  end(): Following;
  /** A comment of one line, without its dashes; only those that stand at the beginning of a line. */
  comment(text: string): void;
  /** A line that begins with a backslash outside of a statement, without its end. @returns whether it may stand there */
  command(line: string): boolean;
}

/** Why a text is not one that pg_dump wrote; `psql` might do with it what nobody wants. */
export class Unsafe extends Error {
  override readonly name = 'Unsafe';
  /** 1-based. */
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}
