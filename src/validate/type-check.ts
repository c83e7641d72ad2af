import type pg from 'pg';
import type { CopyPiece } from '../archive/copy-piece.ts';
import { Slicer } from '../archive/slicer.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { writtenColumns } from '../load/written-columns.ts';
import type { TargetColumn, TargetTable } from '../postgres/catalog.ts';
import { Copy } from '../postgres/copy.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { createStage, type Stage } from '../postgres/stage.ts';
import { addChecks, type CheckConstraint, readChecks } from '../postgres/value-constraints.ts';
import type { LineCheck } from './row-check.ts';

/** Rows of an open COPY, to find the line of the archive that one of them came from. */
interface SentPiece {
  /** Rows sent before it. */
  readonly before: number;
  readonly piece: CopyPiece;
}

/**
 * Has PostgreSQL read every value as the type of its column in the target: COPY into temporary tables
 * of the same types, NOT NULL and check constraints, in a transaction that is rolled back. Keys, which other
 * rows decide about, and triggers are not tried.
 */
export class TypeCheck implements LineCheck {
  readonly #client: pg.Client;
  readonly #archive: string;
  readonly #target: TargetTable;
  readonly #columns: readonly TargetColumn[];
  readonly #slicer: Slicer;
  readonly #stages = new Map<string, Stage>();
  #checks: readonly CheckConstraint[] = [];
  #copy: Copy | null = null;
  #shape = '';
  #sent: SentPiece[] = [];
  #rows = 0;

  /**
   * @param client in no transaction, and not used by anybody else until `close`
   * @param nestedJson columns of json known to hold nested values, as the slicer has found out before
   */
  constructor(client: pg.Client, archive: string, target: TargetTable, nestedJson: ReadonlySet<string>) {
    this.#client = client;
    this.#archive = archive;
    this.#target = target;
    this.#columns = writtenColumns(target);
    const generated = target.columns.filter((column) => column.generated !== null);
    this.#slicer = new Slicer(
      this.#columns.map(({ name, type }) => ({ name, key: name, type })),
      { archive, nestedJson, ignoredKeys: new Set(generated.map(({ name }) => name)) },
    );
  }

  /** The keys met that no column of the target takes, with the number of their values other than null. */
  get unknownKeys(): ReadonlyMap<string, number> {
    return this.#slicer.unknownKeys;
  }

  async push(chunk: Buffer): Promise<void> {
    for (const piece of this.#slicer.push(chunk)) await this.#write(piece);
  }

  async end(): Promise<void> {
    for (const piece of this.#slicer.end()) await this.#write(piece);
    await this.#translated(() => this.#finishCopy());
  }

  async close(): Promise<void> {
    this.#slicer.dispose();
    try {
      await this.#copy?.abandon();
      if (this.#stages.size > 0) await this.#client.query('rollback');
    } catch (error) {
      // A lost connection has rolled back by itself; what lost it is the error at hand.
      if (!(error instanceof Error)) throw error;
    }
  }

  async #write(piece: CopyPiece): Promise<void> {
    await this.#translated(async () => {
      const shape = piece.columns.join();
      if (this.#copy === null || shape !== this.#shape) {
        await this.#finishCopy();
        this.#copy = await this.#begin(shape, piece.columns);
        this.#shape = shape;
      }
      this.#sent.push({ before: this.#rows, piece });
      this.#rows += piece.rows;
      await this.#copy.write(piece);
    });
  }

  async #finishCopy(): Promise<void> {
    await this.#copy?.finish();
    this.#copy = null;
    this.#sent = [];
    this.#rows = 0;
  }

  async #begin(shape: string, indexes: readonly number[]): Promise<Copy> {
    const stage = this.#stages.get(shape) ?? (await this.#makeStage(shape, indexes));
    return new Copy(
      this.#client,
      stage.table,
      stage.columns.map(({ name }) => name),
    );
  }

  async #makeStage(shape: string, indexes: readonly number[]): Promise<Stage> {
    const columns = indexes.flatMap((index) => this.#columns[index] ?? []);
    if (columns.length === 0) throw this.#foreign();
    if (this.#stages.size === 0) {
      await this.#client.query('begin');
      this.#checks = await readChecks(this.#client, this.#target);
    }
    const stage = await createStage(this.#client, columns, this.#stages.size, null);
    this.#stages.set(shape, stage);
    await addChecks(this.#client, stage, this.#checks);
    return stage;
  }

  #foreign(): ThawError {
    const { schema, table } = this.#target;
    return new ThawError(
      'SchemaIncompatible',
      `${this.#archive}: a record has no column of ${schema}.${table}.`,
      {
        object: this.#archive,
        stage: 'slice',
      },
    );
  }

  /** Makes of what PostgreSQL answers an error that names line and column of the archive. */
  async #translated(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (raw) {
      const error = databaseError(raw, {
        object: `${this.#target.schema}.${this.#target.table}`,
        stage: 'copy',
      });
      const line = this.#lineOf(error.line);
      if (line === null || error.retryable) throw error;
      throw new ThawError(error.code, `${this.#archive}: line ${line}: ${error.message}`, {
        object: this.#archive,
        stage: 'copy',
        line,
        hint: error.hint,
        sqlstate: error.sqlstate,
      });
    }
  }

  /** The line of the archive, given the line of the COPY. */
  #lineOf(copied: number | undefined): number | null {
    if (copied === undefined) return null;
    const sent = this.#sent.findLast(({ before }) => before < copied);
    return sent === undefined ? null : sent.piece.lineOf(copied - 1 - sent.before);
  }
}
