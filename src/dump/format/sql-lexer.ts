import { countLines } from './copy-rows.ts';
import {
  ampersand,
  backslash,
  classes,
  digit,
  dollar,
  doubleQuote,
  endOfLine,
  endOfWord,
  isAscii,
  isOfTag,
  letter,
  newline,
  other,
  psqlVariables,
  quote,
  symbol,
  wordText,
} from './sql-bytes.ts';
import { type Following, type SqlSink, type SqlToken, Unsafe } from './sql-token.ts';

type State =
  | { readonly kind: 'sql' | 'comment' }
  | { readonly kind: 'string'; readonly escapes: boolean }
  | { readonly kind: 'name' }
  | { readonly kind: 'dollar'; readonly tag: Buffer }
  | { readonly kind: 'block'; depth: number };

const sql: State = { kind: 'sql' };
const captured = 1000;
/** No word, tag or command of pg_dump is longer. */
const longest = 64 * 1024;

/**
 * Takes SQL apart as psql does it (psqlscan.l of PostgreSQL), so that what it would take for a command, a variable
 * or the end of a statement is one here as well. Chunks may be cut anywhere.
 */
export class SqlLexer {
  /** 1-based line that the last chunk was read up to. */
  line = 1;
  readonly #sink: SqlSink;
  #state: State = sql;
  #carry: Buffer = Buffer.alloc(0);
  /** pg_dump writes commands and what it tells in comments there. */
  #atLineStart = true;
  #isEmpty = true;
  #depth = 0;
  /** `begin … end` of functions written in SQL, within which semicolons end nothing. */
  #blocks = 0;
  /** The first four words of the statement, which tell `create [or replace] function`. */
  #words: string[] = [];
  #wantsInner = true;
  #text = '';
  /** Whether the byte before `#carry` was a digit. */
  #afterDigit = false;
  #next: Exclude<Following, object> = 'sql';

  constructor(sink: SqlSink) {
    this.#sink = sink;
  }

  /** Whether a statement, string, comment or command is open. */
  get isOpen(): boolean {
    return this.#state !== sql || !this.#isEmpty || this.#carry.length > 0;
  }

  /**
   * Takes the chunk from `from` on.
   *
   * @returns where the data of a COPY begins; -1 where the chunk was taken to its end
   * @throws Unsafe
   */
  push(chunk: Buffer, from = 0): number {
    const carried = this.#carry.length;
    const bytes = carried === 0 ? chunk.subarray(from) : Buffer.concat([this.#carry, chunk.subarray(from)]);
    let at = 0;
    while (at < bytes.length) {
      const next = this.#step(bytes, at);
      if (next === -1) break;
      at = next;
      if (this.#next === 'copy' && this.#atLineStart) {
        this.#next = 'sql';
        this.#keep(bytes, bytes.length);
        return from + at - carried;
      }
    }
    this.#keep(bytes, at);
    return -1;
  }

  /** Takes the end of the text for the end of a word, comment or command. @throws Unsafe */
  end(): void {
    const isCommand = this.#state === sql && this.#carry[0] === backslash;
    // Half a command is not one that somebody wrote: the text is cut, and stays open.
    if (isCommand && !this.#sink.command(this.#carry.toString('utf8'))) return;
    this.#carry = isCommand ? Buffer.alloc(0) : this.#carry;
    this.push(Buffer.from('\n'));
  }

  #keep(bytes: Buffer, at: number): void {
    if (bytes.length - at > longest) throw new Unsafe(this.line, 'holds a word that pg_dump does not write');
    this.#carry = bytes.subarray(at);
    if (at > 0) this.#afterDigit = classes[bytes[at - 1] as number] === digit;
  }

  /** Goes on behind `at`; -1 where more bytes are needed. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state.kind) {
      case 'sql':
        return this.#sql(bytes, at);
      case 'comment':
        return this.#restOfComment(bytes, at);
      case 'string':
        return this.#state.escapes
          ? this.#escapedString(bytes, at)
          : this.#quoted(bytes, at, quote, 'string');
      case 'name':
        return this.#quoted(bytes, at, doubleQuote, 'name');
      case 'dollar':
        return this.#dollar(bytes, at, this.#state.tag);
      case 'block':
        return this.#block(bytes, at, this.#state);
    }
  }

  #sql(bytes: Buffer, from: number): number {
    let at = from;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      const kind = classes[byte];
      if (kind === other) {
        if (byte > 0x20) this.#touch();
        this.#atLineStart = false;
        continue;
      }
      if (kind === digit) {
        this.#touch();
        continue;
      }
      if (kind === symbol) {
        this.#symbol(byte);
        continue;
      }
      if (kind === letter) {
        const end = endOfWord(bytes, at);
        // Behind `U` may come `&'`.
        if (end + (bytes[end] === ampersand ? 1 : 0) >= bytes.length) return at === from ? -1 : at;
        this.#word(bytes, at, end);
        return this.#afterWord(bytes, at, end);
      }
      if (byte === newline) {
        this.#newline();
        // The data of a COPY begin here.
        if (this.#next === 'copy') return at + 1;
        continue;
      }
      const next = this.#special(bytes, at, byte);
      return next === -1 && at !== from ? at : next;
    }
    return at;
  }

  #special(bytes: Buffer, at: number, byte: number): number {
    const following = bytes[at + 1];
    switch (byte) {
      case 0x3b:
        this.#semicolon();
        return at + 1;
      case quote:
        return this.#open({ kind: 'string', escapes: !this.#sink.standardStrings }, at + 1);
      case doubleQuote:
        return this.#open({ kind: 'name' }, at + 1);
      case backslash:
        return this.#command(bytes, at);
      case 0x2d: // -
        if (following === undefined) return -1;
        if (following !== 0x2d) break;
        return this.#comment(bytes, at);
      case 0x2f: // /
        if (following === undefined) return -1;
        if (following !== 0x2a) break;
        this.#refuseBehind();
        this.#atLineStart = false;
        this.#state = { kind: 'block', depth: 1 };
        return at + 2;
      case 0x3a: // :
        return this.#colon(bytes, at);
      case dollar:
        return this.#dollarOrParameter(bytes, at);
    }
    this.#touch();
    return at + 1;
  }

  /** Something of a statement. */
  #touch(): void {
    this.#refuseBehind();
    this.#atLineStart = false;
    this.#isEmpty = false;
  }

  #refuseBehind(): void {
    if (this.#next !== 'sql')
      throw new Unsafe(this.line, 'goes on behind a statement that has to end its line');
  }

  #newline(): void {
    this.line += 1;
    this.#atLineStart = true;
    if (this.#next === 'alone') this.#next = 'sql';
  }

  #token(kind: SqlToken['kind'], text: string): void {
    if (this.#depth === 0 || this.#wantsInner)
      this.#wantsInner = this.#sink.token({ kind, text }, this.#depth);
  }

  #symbol(byte: number): void {
    this.#touch();
    this.#token('symbol', String.fromCharCode(byte));
    if (byte === 0x28) this.#depth += 1;
    else if (byte === 0x29 && this.#depth > 0) this.#depth -= 1;
  }

  #semicolon(): void {
    if (this.#depth > 0 || this.#blocks > 0) return;
    this.#touch();
    const next = this.#sink.end();
    if (typeof next === 'object') throw new Unsafe(this.line, next.refused);
    this.#next = next;
    this.#isEmpty = true;
    this.#words = [];
    this.#wantsInner = true;
  }

  #word(bytes: Buffer, at: number, end: number): void {
    this.#touch();
    if (this.#depth > 0 && !this.#wantsInner) return;
    const text = wordText(bytes, at, end);
    if (this.#depth === 0) this.#countBlocks(text);
    if (this.#words.length < 4) this.#words.push(text);
    this.#token('word', text);
  }

  #countBlocks(word: string): void {
    if (this.#words[0] !== 'create') return;
    if (!/^create (?:or replace )?(?:function|procedure)\b/.test(this.#words.join(' '))) return;
    if (word === 'begin' || (word === 'case' && this.#blocks > 0)) this.#blocks += 1;
    else if (word === 'end' && this.#blocks > 0) this.#blocks -= 1;
  }

  /** A quote directly behind a word may be one of its own kind: `E'…'`, and `B'…'`, `X'…'`, `U&'…'` without escapes. */
  #afterWord(bytes: Buffer, at: number, end: number): number {
    const length = end - at;
    if (length > 1) return end;
    const word = String.fromCharCode(bytes[at] as number).toLowerCase();
    if (word === 'u' && bytes[end] === ampersand) {
      return bytes[end + 1] === quote ? this.#open({ kind: 'string', escapes: false }, end + 2) : end;
    }
    if (bytes[end] !== quote) return end;
    if (word === 'e') {
      // Before version 15 psql takes `1e'…'` for a number and E'…', since then for a number with junk and '…'.
      if (at > 0 ? classes[bytes[at - 1] as number] === digit : this.#afterDigit) {
        throw new Unsafe(this.line, 'holds a string that psql reads in one way or another');
      }
      return this.#open({ kind: 'string', escapes: true }, end + 1);
    }
    return word === 'b' || word === 'x' ? this.#open({ kind: 'string', escapes: false }, end + 1) : end;
  }

  #open(state: State, at: number): number {
    this.#touch();
    this.#state = state;
    this.#text = '';
    return at;
  }

  #capture(bytes: Buffer, from: number, to: number): void {
    this.line += countLines(bytes, from, to);
    if (this.#depth > 0 && !this.#wantsInner) return;
    if (this.#text.length < captured)
      this.#text += bytes.toString('latin1', from, Math.min(to, from + captured));
  }

  /** Taken as bytes, since a character may be cut by the end of a chunk. */
  #captured(): string {
    const text = this.#text;
    return isAscii.test(text) ? text : Buffer.from(text, 'latin1').toString('utf8');
  }

  #close(kind: 'string' | 'name'): void {
    this.#state = sql;
    if (this.#depth === 0 || this.#wantsInner) this.#token(kind, this.#captured());
  }

  #quoted(bytes: Buffer, from: number, mark: number, kind: 'string' | 'name'): number {
    const end = bytes.indexOf(mark, from);
    if (end === -1) {
      this.#capture(bytes, from, bytes.length);
      return bytes.length;
    }
    if (end + 1 === bytes.length) {
      if (end === from) return -1;
      this.#capture(bytes, from, end);
      return end;
    }
    const isDoubled = bytes[end + 1] === mark;
    this.#capture(bytes, from, isDoubled ? end + 1 : end);
    if (isDoubled) return end + 2;
    this.#close(kind);
    return end + 1;
  }

  #escapedString(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte !== quote && byte !== backslash) continue;
      if (at > from || at + 1 === bytes.length) {
        this.#capture(bytes, from, at);
        return at === from ? -1 : at;
      }
      const isPair = byte === backslash || bytes[at + 1] === quote;
      if (isPair) {
        this.#capture(bytes, at + 1, at + 2);
        return at + 2;
      }
      this.#close('string');
      return at + 1;
    }
    this.#capture(bytes, from, bytes.length);
    return bytes.length;
  }

  #dollarOrParameter(bytes: Buffer, at: number): number {
    let end = at + 1;
    if (end === bytes.length) return -1;
    if (classes[bytes[end] as number] === letter) {
      while (end < bytes.length && isOfTag(bytes[end] as number)) end += 1;
      if (end === bytes.length) return -1;
    }
    if (bytes[end] !== dollar) {
      this.#touch();
      return at + 1;
    }
    return this.#open({ kind: 'dollar', tag: Buffer.from(bytes.subarray(at, end + 1)) }, end + 1);
  }

  #dollar(bytes: Buffer, from: number, tag: Buffer): number {
    const end = bytes.indexOf(tag, from);
    if (end !== -1) {
      this.line += countLines(bytes, from, end);
      this.#close('string');
      return end + tag.length;
    }
    const kept = Math.max(from, bytes.length - tag.length + 1);
    this.line += countLines(bytes, from, kept);
    return kept === from ? -1 : kept;
  }

  #block(bytes: Buffer, from: number, state: { depth: number }): number {
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte === newline) this.#newline();
      if (byte !== 0x2a && byte !== 0x2f) continue;
      const following = bytes[at + 1];
      if (following === undefined) return at === from ? -1 : at;
      if (byte === 0x2a && following === 0x2f) {
        state.depth -= 1;
        if (state.depth === 0) this.#state = sql;
        return at + 2;
      }
      if (byte === 0x2f && following === 0x2a) {
        state.depth += 1;
        return at + 2;
      }
    }
    return bytes.length;
  }

  #comment(bytes: Buffer, at: number): number {
    const end = endOfLine(bytes, at);
    if (end === -1) {
      if (bytes.length - at < longest) return -1;
      this.#state = { kind: 'comment' };
      return bytes.length;
    }
    if (this.#atLineStart && this.#isEmpty) this.#sink.comment(bytes.toString('utf8', at + 2, end));
    return end;
  }

  #restOfComment(bytes: Buffer, at: number): number {
    const end = endOfLine(bytes, at);
    if (end === -1) return bytes.length;
    this.#state = sql;
    return end;
  }

  #command(bytes: Buffer, at: number): number {
    if (!this.#atLineStart || !this.#isEmpty) throw this.#unsafeCommand();
    const end = bytes.indexOf(newline, at);
    if (end === -1) return -1;
    const line = bytes.toString('utf8', at, end).replace(/\r$/, '');
    if (!this.#sink.command(line)) throw this.#unsafeCommand();
    return end;
  }

  #unsafeCommand(): Unsafe {
    return new Unsafe(this.line, 'holds a backslash command that pg_dump does not write and psql would run');
  }

  #colon(bytes: Buffer, at: number): number {
    this.#touch();
    const following = bytes[at + 1];
    if (following === undefined) return -1;
    if (following === 0x3a) return at + 2;
    if (following === 0x7b) throw this.#unsafeVariable();
    const isQuoted = following === quote || following === doubleQuote;
    const begin = isQuoted ? at + 2 : at + 1;
    let end = begin;
    while (end < bytes.length && isOfTag(bytes[end] as number)) end += 1;
    if (end === bytes.length) return -1;
    const isWhole = !isQuoted || bytes[end] === following;
    if (isWhole && psqlVariables.test(bytes.toString('latin1', begin, end))) throw this.#unsafeVariable();
    return at + 1;
  }

  #unsafeVariable(): Unsafe {
    return new Unsafe(this.line, 'holds a variable of psql, which pg_dump does not write');
  }
}
