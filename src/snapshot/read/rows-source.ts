import type { ValueEncoding } from '../../archive/value-encoding.ts';
import type { TablePiece } from './table-object.ts';

/** A table of a source. */
export interface SourceTable {
  /** As its pieces name it. */
  readonly name: string;
  readonly rows: number;
}

/** Rows that are read as one stream. */
export interface RowsPart {
  /** For errors. */
  readonly name: string;
  /**
   * Reads it from its start. Pieces of a table follow one another.
   *
   * @throws ThawError for what cannot be read, is damaged, or is not what the source says of it: that may show only
   * behind the last piece
   */
  read(signal: AbortSignal): AsyncIterable<TablePiece>;
}

/** Where the rows of a snapshot are read from. */
export interface RowsSource {
  readonly encoding: ValueEncoding;
  readonly tables: readonly SourceTable[];
  /** Can be read side by side. A table may be in several of them, and a part may hold several tables. */
  readonly parts: readonly RowsPart[];
}
