import type { CopyPiece } from '../archive/copy-piece.ts';
import type { ColumnNote, RowCounts } from '../contract/outcome.ts';

/** Where the rows of a load go, within its transaction. */
export interface Sink {
  /** Rows of the archive at this place of the load; archives come in order. */
  write(archive: number, piece: CopyPiece): Promise<void>;
  /** Ends the last COPY and compares PostgreSQL's count with the rows sent. @throws ThawError `CountMismatch` */
  flush(): Promise<void>;
  /** What of an archive, now that all is flushed, goes no further. */
  leftOut(archive: number): readonly ColumnNote[];
  /** Brings the rows into the target, where they are not there yet, and gives the counts by archive. */
  merge(): Promise<ReadonlyMap<number, RowCounts>>;
  /** Gives an open COPY up, so that the connection can roll back. */
  abandon(): Promise<void>;
}
