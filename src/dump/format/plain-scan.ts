import { ThawError } from '../../contract/thaw-error.ts';
import { CopyRows } from './copy-rows.ts';
import { corruptDump } from './open-dump.ts';
import { type DumpedRows, PlainStatements } from './plain-statements.ts';
import { SqlLexer } from './sql-lexer.ts';
import { Unsafe } from './sql-token.ts';
import type { TocEntry } from './toc.ts';

/** What a plain dump says of itself. */
export interface PlainFacts {
  /** How it is not whole, such as `the line that pg_dump ends with is missing`; null for a whole one. */
  readonly cut: string | null;
  readonly serverVersion: string | null;
  readonly dumpVersion: string | null;
  /** Databases that it makes or connects to, in their order, each once. */
  readonly databases: readonly string[];
  readonly tables: readonly DumpedRows[];
  /** Names of extensions that it makes, each once. */
  readonly extensions: readonly string[];
  /** Roles that have to be there, each once: without those that it makes itself. */
  readonly roles: readonly string[];
  /** Parameters that it sets for its session, each once. */
  readonly settings: readonly string[];
  /** Whether it drops tables: `pg_dump --clean`. */
  readonly dropsTables: boolean;
  readonly toc: readonly TocEntry[];
}

/** How a plain dump is not whole whose last line has not come. */
export const endMissing = 'the line that pg_dump ends with is missing';

/**
 * Reads what pg_dump and pg_dumpall write as plain SQL while it streams by: what psql would act upon is looked at
 * before psql gets it, and rows are counted. Chunks may be cut anywhere; memory grows with the objects of the dump,
 * not with their data.
 */
export class PlainScan {
  readonly #object: string;
  readonly #found = new PlainStatements();
  readonly #lexer = new SqlLexer(this.#found);
  /** Of the COPY whose data are coming. */
  #rows: CopyRows | null = null;

  /** @param object names the dump in errors */
  constructor(object: string) {
    this.#object = object;
  }

  /**
   * Takes the next bytes.
   *
   * @throws ThawError `InputInvalid` for what pg_dump does not write and psql would act upon, with its line;
   * `ArchiveCorrupt` for a NUL byte, which no text of PostgreSQL has, but a file whose blocks were lost
   */
  push(chunk: Buffer): void {
    if (chunk.includes(0)) {
      throw corruptDump(this.#object, `line ${this.#lexer.line} or one that follows soon holds a NUL byte`);
    }
    this.#guard(() => {
      for (let at = 0; at !== -1 && at < chunk.length; ) at = this.#pushPart(chunk, at);
    });
  }

  /** Whether what has come so far ends between two statements. */
  get isBetweenStatements(): boolean {
    return this.#rows === null && !this.#lexer.isOpen;
  }

  /** How many statements so far begin or end a transaction. */
  get transactionStatements(): number {
    return this.#found.transactionStatements;
  }

  /** How many times so far psql would connect anew. */
  get connections(): number {
    return this.#found.connections;
  }

  /** What was found, once all bytes have come. @throws ThawError as `push` does */
  end(): PlainFacts {
    this.#guard(() => this.#rows === null && this.#lexer.end());
    const { comments, databases, extensions, roles, ownRoles, settings, dropsTables } = this.#found;
    return {
      cut: this.#cut(),
      serverVersion: comments.serverVersion,
      dumpVersion: comments.dumpVersion,
      databases: [...databases],
      tables: this.#found.rows(),
      extensions: [...extensions],
      roles: [...roles].filter((role) => !ownRoles.has(role)),
      settings: [...settings.keys()],
      dropsTables,
      toc: comments.toc,
    };
  }

  #guard(act: () => unknown): void {
    try {
      act();
    } catch (error) {
      throw error instanceof Unsafe ? this.#refused(error) : error;
    }
  }

  #pushPart(chunk: Buffer, from: number): number {
    if (this.#rows !== null) return this.#pushRows(chunk, from, this.#rows);
    const data = this.#lexer.push(chunk, from);
    if (data !== -1) this.#rows = new CopyRows();
    return data;
  }

  #pushRows(chunk: Buffer, from: number, rows: CopyRows): number {
    const end = rows.push(chunk, from);
    if (end === -1) return -1;
    this.#lexer.line += rows.rows + 1;
    this.#found.endCopy(rows.rows);
    this.#rows = null;
    return end;
  }

  #cut(): string | null {
    const { copying, comments, goesOn } = this.#found;
    if (copying !== null) return `it ends in the data of ${copying}`;
    if (this.#lexer.isOpen) return 'it ends in the middle of a statement';
    if (!comments.isComplete) return endMissing;
    if (this.#found.isRestricted) return 'the line `\\unrestrict` that it ends with is missing';
    return goesOn ? 'it goes on behind the line that pg_dump ends with' : null;
  }

  #refused({ line, message }: Unsafe): ThawError {
    return new ThawError('InputInvalid', `${this.#object}: line ${line} ${message}.`, {
      object: this.#object,
      line,
      hint: 'Look at that line. Where nobody put it there on purpose, make a new dump with a current pg_dump.',
    });
  }
}
