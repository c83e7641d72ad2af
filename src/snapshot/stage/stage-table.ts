import type pg from 'pg';
import { isSameSet } from '../../archive/column-order.ts';
import type { CopyPiece } from '../../archive/copy-piece.ts';
import { Slicer } from '../../archive/slicer.ts';
import type { ValueEncoding } from '../../archive/value-encoding.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { TargetColumn, TargetTable } from '../../postgres/catalog.ts';
import { qualifiedName } from '../../postgres/identifier.ts';
import { stageColumns, stageName } from '../../postgres/snapshot-stage.ts';
import type { SourceTable } from '../read/rows-source.ts';
import { Lanes } from './lanes.ts';

/** Rows of a snapshot, ready to be merged into their table. */
export interface StagedRows {
  readonly target: TargetTable;
  readonly stage: { readonly schema: string; readonly table: string };
  /** What the snapshot has of the columns of the target, in their order. */
  readonly columns: readonly TargetColumn[];
  readonly rows: number;
  /** Keys of the rows that the target has no column for, with the number of their values; only where that is allowed. */
  readonly dropped: ReadonlyMap<string, number>;
}

/** A stage being filled, from one part after another or from several at once. */
export class StageTable {
  readonly target: TargetTable;
  readonly #source: SourceTable;
  readonly #schema: string;
  readonly #columns: readonly TargetColumn[];
  readonly #unknown = new Map<string, number>();
  /** The columns that every row has; null before the first. */
  #fed: readonly number[] | null = null;
  #rows = 0;

  /** @param schema of the stage */
  constructor(target: TargetTable, source: SourceTable, schema: string) {
    this.target = target;
    this.#source = source;
    this.#schema = schema;
    this.#columns = stageColumns(target);
  }

  /** Begins to take rows of a part. */
  fill(clients: readonly pg.Client[], part: string, encoding: ValueEncoding): StageFill {
    const names = this.#columns.map(({ name }) => name);
    const slicer = new Slicer(
      this.#columns.map(({ name, type }) => ({ name, key: name, type })),
      {
        archive: part,
        encoding,
        ignoredKeys: new Set(
          this.target.columns.filter(({ generated }) => generated !== null).map(({ name }) => name),
        ),
      },
    );
    const lanes = new Lanes(clients, qualifiedName(this.#schema, stageName(this.target)), names);
    return new StageFill(slicer, lanes, this);
  }

  /** Sees that a piece has the columns that all others have: NULL in place of a missing one would be a value. */
  admit(piece: CopyPiece): void {
    this.#fed ??= piece.columns;
    if (piece.columns.length > 0 && isSameSet(piece.columns, this.#fed)) return;
    const fed = new Set(this.#fed);
    const odd = this.#columns.find((_, index) => fed.has(index) !== piece.columns.includes(index));
    throw this.#incompatible(
      odd === undefined
        ? 'rows of the snapshot have no column of the table'
        : `some rows of the snapshot have column ${odd.name}, and some do not`,
    );
  }

  /** Counts what a part had of rows, and of keys that no column takes. */
  count({ rows, unknownKeys }: Slicer): void {
    this.#rows += rows;
    for (const [key, values] of unknownKeys) this.#unknown.set(key, (this.#unknown.get(key) ?? 0) + values);
  }

  /**
   * What was staged, now that all parts were read.
   *
   * @param exact the snapshot must have the columns of the table, no less and no more
   * @throws ThawError `CountMismatch` for another number of rows than the source tells; `SchemaIncompatible`
   */
  finish(exact: boolean): StagedRows {
    const { target } = this;
    const { rows } = this.#source;
    if (rows !== this.#rows) {
      throw new ThawError(
        'CountMismatch',
        `${this.object}: ${this.#rows} rows were read, and the snapshot tells of ${rows}.`,
        {
          object: this.object,
          stage: 'copy',
          hint: 'The snapshot is not what was written. Use another one.',
        },
      );
    }
    const fed = new Set(this.#fed ?? this.#columns.keys());
    const columns = this.#columns.filter((_, index) => fed.has(index));
    const missing = this.#columns.find((_, index) => !fed.has(index));
    const [unknown] = this.#unknown.keys();
    if (exact && missing !== undefined)
      throw this.#incompatible(`the snapshot has no column ${missing.name}`);
    if (exact && unknown !== undefined)
      throw this.#incompatible(`the table has no column ${JSON.stringify(unknown.slice(0, 63))}`);
    const stage = { schema: this.#schema, table: stageName(target) };
    return { target, stage, columns, rows, dropped: this.#unknown };
  }

  /** For errors. */
  get object(): string {
    return `${this.target.schema}.${this.target.table}`;
  }

  #incompatible(what: string): ThawError {
    const { object } = this;
    return new ThawError('SchemaIncompatible', `${object}: ${what}.`, {
      object,
      stage: 'slice',
      hint: 'With --schema-migration-strategy lenient, what either side does not have is left as it is.',
    });
  }
}

/** Rows of one part on their way into a stage. */
export class StageFill {
  readonly #slicer: Slicer;
  readonly #lanes: Lanes;
  readonly #table: StageTable;

  constructor(slicer: Slicer, lanes: Lanes, table: StageTable) {
    this.#slicer = slicer;
    this.#lanes = lanes;
    this.#table = table;
  }

  /** Takes JSON lines, cut anywhere, and gives the number of rows that they ended. */
  async write(lines: Buffer): Promise<number> {
    const before = this.#slicer.rows;
    await this.#take(this.#slicer.push(lines));
    return this.#slicer.rows - before;
  }

  /** Takes the end of the rows, and waits until PostgreSQL has them all. */
  async finish(): Promise<void> {
    await this.#take(this.#slicer.end());
    await this.#lanes.finish();
    this.#table.count(this.#slicer);
  }

  async abandon(): Promise<void> {
    this.#slicer.dispose();
    await this.#lanes.abandon();
  }

  async #take(pieces: readonly CopyPiece[]): Promise<void> {
    for (const piece of pieces) {
      this.#table.admit(piece);
      await this.#lanes.write(piece);
    }
  }
}
