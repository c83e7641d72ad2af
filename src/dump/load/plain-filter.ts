import { ThawError } from '../../contract/thaw-error.ts';
import { type PlainFacts, PlainScan } from '../format/plain-scan.ts';

/** What is taken out of a plain dump on its way to psql. */
export interface PlainFilterOptions {
  /**
   * Key that psql was restricted with, in place of the dump's own: whatever a hostile dump does to have psql read
   * strings in another way than the scanner, psql takes no command from it. It is lifted for the `\connect` of a cluster.
   * Null: this psql knows of no restriction.
   */
  readonly restriction: string | null;
  /** Settings that the server does not know. */
  readonly settings: readonly string[];
  /**
   * `BEGIN` and `COMMIT`, which pg_dump writes around large objects: within the one transaction of the load
   * they would commit its first half. Anything else that begins or ends a transaction is refused then.
   */
  readonly transactions: boolean;
  /**
   * What `pg_dump --create` writes of the database itself: it is made already, and a `\connect` would load into another
   * one, perhaps the live one. Any other way to get there is refused then.
   */
  readonly database: boolean;
  /** `CREATE`, `ALTER` and `DROP ROLE` of these roles, which are there already and stay as they are. */
  readonly roles: ReadonlySet<string>;
}

/** The beginnings of lines that may have to go; all lines of pg_dump that begin otherwise pass at once. */
const candidates = [
  'BEGIN;',
  'COMMIT;',
  'SET ',
  '\\restrict ',
  '\\unrestrict ',
  'CREATE ROLE ',
  'ALTER ROLE ',
  'DROP ROLE ',
  '\\connect ',
  '\\encoding ',
  'CREATE DATABASE ',
  'DROP DATABASE ',
  'ALTER DATABASE ',
  'COMMENT ON DATABASE ',
  'GRANT ',
  'REVOKE ',
].map((text) => Buffer.from(text));
/** 1 for the bytes that they begin with: nearly no line of data gets further. */
const beginnings = new Uint8Array(256);
for (const text of candidates) beginnings[text[0] as number] = 1;
const ofRestriction = /^\\(?:un)?restrict \S+$/;
const ofConnection = /^\\(?:connect|encoding) /;
const ofDatabase =
  /^(?:(?:CREATE|DROP|ALTER|COMMENT ON) DATABASE |\\(?:connect|encoding) |(?:GRANT|REVOKE) .* ON DATABASE )/;
/** Bytes of the longest line that may have to go: a password is long. */
const longest = 4096;
const newline = 0x0a;

/**
 * Looks at a plain dump before psql gets it. Nothing passes that the scanner has not seen first, and lines
 * that go leave an empty one, so that line numbers in messages are those of the dump.
 */
export class PlainFilter {
  readonly #scan: PlainScan;
  readonly #object: string;
  readonly #options: PlainFilterOptions;
  /** The beginning of a line that may have to go. */
  #held: Buffer = Buffer.alloc(0);
  #atLineStart = true;

  /** @param object names the dump in errors */
  constructor(object: string, options: PlainFilterOptions) {
    this.#scan = new PlainScan(object);
    this.#object = object;
    this.#options = options;
  }

  /**
   * Takes the next bytes and gives those that may pass.
   *
   * @throws ThawError as `PlainScan.push` does; `InputInvalid` for a statement that would end the transaction
   */
  push(chunk: Buffer): Buffer[] {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    const passed: Buffer[] = [];
    let from = 0;
    for (let line = this.#atLineStart ? 0 : nextLine(bytes, 0); line !== -1; line = nextLine(bytes, line)) {
      if (!isCandidate(bytes, line)) continue;
      const end = bytes.indexOf(newline, line);
      if (end === -1 && bytes.length - line < longest) {
        passed.push(...this.#pass(bytes.subarray(from, line)));
        this.#held = Buffer.from(bytes.subarray(line));
        this.#atLineStart = true;
        return passed;
      }
      if (end === -1) break;
      passed.push(...this.#pass(bytes.subarray(from, line)));
      passed.push(...this.#line(bytes.subarray(line, end + 1)));
      from = end + 1;
    }
    passed.push(...this.#pass(bytes.subarray(from)));
    this.#atLineStart = bytes.length === 0 ? this.#atLineStart : bytes.at(-1) === newline;
    return passed;
  }

  /** What was held back, and what was found, once all bytes have come. @throws ThawError as `push` does */
  end(): { readonly rest: Buffer[]; readonly facts: PlainFacts } {
    const rest = this.#held.length === 0 ? [] : this.#line(this.#held);
    return { rest, facts: this.#scan.end() };
  }

  /** A whole line that begins like one that may have to go. */
  #line(line: Buffer): Buffer[] {
    // In the data of a COPY, a string or the body of a function the same line is nothing special.
    if (!this.#scan.isBetweenStatements) return this.#pass(line);
    const text = line.toString('utf8').trimEnd();
    if (!this.#goes(text)) {
      const passed = this.#pass(line);
      const { restriction } = this.#options;
      if (restriction === null || !ofConnection.test(text)) return passed;
      // All on one line, so that line numbers stay.
      return [Buffer.from(`\\unrestrict ${restriction} ${text} \\restrict ${restriction}\n`)];
    }
    this.#scan.push(line);
    // Half a statement must not stay: of a comment on the database that has several lines.
    if (!this.#scan.isBetweenStatements) throw this.#ownDatabase();
    return [Buffer.from('\n')];
  }

  #pass(bytes: Buffer): Buffer[] {
    if (bytes.length === 0) return [];
    const { transactionStatements, connections } = this.#scan;
    this.#scan.push(bytes);
    const { transactions, database } = this.#options;
    if (transactions && this.#scan.transactionStatements > transactionStatements)
      throw this.#ownTransaction();
    if (database && this.#scan.connections > connections) throw this.#ownDatabase();
    return [bytes];
  }

  #goes(line: string): boolean {
    const { settings, transactions, database, roles } = this.#options;
    if (ofDatabase.test(line)) return database;
    if (ofRestriction.test(line)) return true;
    if (/^(?:BEGIN|COMMIT);$/.test(line)) return transactions;
    const setting = /^SET (\w+) = [^;']*;$/.exec(line)?.[1];
    if (setting !== undefined) return settings.includes(setting);
    const role =
      /^(?:CREATE ROLE|DROP ROLE|DROP ROLE IF EXISTS|ALTER ROLE) (\w+|"(?:[^"]|"")+")(?:;| WITH [^;]*;)$/.exec(
        line,
      )?.[1];
    return role !== undefined && roles.has(roleName(role));
  }

  #ownDatabase(): ThawError {
    return new ThawError(
      'InputInvalid',
      `${this.#object} chooses its database in a way that cannot be taken out.`,
      {
        object: this.#object,
        hint: 'Make the dump without --create; what belongs to the database itself is carried over from the live one.',
      },
    );
  }

  #ownTransaction(): ThawError {
    return new ThawError('InputInvalid', `${this.#object} begins or ends transactions of its own.`, {
      object: this.#object,
      hint: 'pg_dump does not write that; a part of the dump would stay when the rest fails. Take the statements out, or make a new dump.',
    });
  }
}

/** Where the next line begins; -1 where none does in these bytes. */
function nextLine(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(newline, from);
  return end === -1 || end + 1 === bytes.length ? -1 : end + 1;
}

/** Whether a line begins like a candidate, as far as its bytes are there. */
function isCandidate(bytes: Buffer, line: number): boolean {
  if (beginnings[bytes[line] as number] === 0) return false;
  return candidates.some((text) => {
    const length = Math.min(text.length, bytes.length - line);
    return bytes.compare(text, 0, length, line, line + length) === 0;
  });
}

function roleName(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
}
