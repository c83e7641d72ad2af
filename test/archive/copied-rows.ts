import type { ArchiveColumn, ColumnType } from '../../src/archive/column-type.ts';
import type { CopyPiece } from '../../src/archive/copy-piece.ts';
import { Slicer, type SlicerOptions } from '../../src/archive/slicer.ts';

/** A row as PostgreSQL would understand it: the texts by the names of the columns. */
export type CopiedRow = ReadonlyMap<string, string | null>;

const letters = new Map([
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['\\', '\\'],
]);

/** A column of a base type. */
export function column(name: string, type: string | ColumnType = 'text'): ArchiveColumn {
  return { name, key: name, type: typeof type === 'string' ? { kind: 'scalar', name: type } : type };
}

/** Reads COPY text as PostgreSQL does, strictly. */
export function readPiece(piece: CopyPiece, columns: readonly ArchiveColumn[]): CopiedRow[] {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(piece.bytes);
  if (!text.endsWith('\n')) throw new Error('A piece ends within a row');
  const rows = text.slice(0, -1).split('\n');
  if (rows.length !== piece.rows) throw new Error(`${rows.length} rows in a piece of ${piece.rows}`);
  return rows.map((row) => {
    const fields = piece.columns.length === 0 && row === '' ? [] : row.split('\t');
    if (fields.length !== piece.columns.length) throw new Error(`${fields.length} fields in a row`);
    return new Map(
      fields.map((field, index) => [columns[piece.columns[index] ?? -1]?.name ?? '?', readField(field)]),
    );
  });
}

function readField(field: string): string | null {
  if (field === '\\N') return null;
  return field.replaceAll(/\\(.?)/gs, (_, letter: string) => {
    const character = letters.get(letter);
    if (character === undefined) throw new Error(`COPY has no \\${letter}`);
    return character;
  });
}

/** What came of slicing: the rows, their lines, and what was thrown. */
export interface Sliced {
  readonly rows: CopiedRow[];
  readonly lines: number[];
  readonly pieces: { readonly columns: readonly number[]; readonly rows: number; readonly bytes: number }[];
  readonly slicer: Slicer;
  readonly error: unknown;
}

/** Slices chunks and reads the pieces, each of which is released as soon as it was read. */
export function slice(
  chunks: Iterable<Buffer>,
  columns: readonly ArchiveColumn[],
  options: SlicerOptions = {},
): Sliced {
  const slicer = new Slicer(columns, options);
  const rows: CopiedRow[] = [];
  const lines: number[] = [];
  const pieces: Sliced['pieces'] = [];
  const take = (taken: CopyPiece[]) => {
    for (const piece of taken) {
      rows.push(...readPiece(piece, columns));
      for (let row = 0; row < piece.rows; row += 1) lines.push(piece.lineOf(row));
      pieces.push({ columns: piece.columns, rows: piece.rows, bytes: piece.bytes.length });
      piece.release();
    }
  };
  let error: unknown = null;
  try {
    for (const chunk of chunks) {
      // A copy, spoilt afterwards: the slicer must keep nothing of a chunk.
      const lent = Buffer.from(chunk);
      take(slicer.push(lent));
      lent.fill(0x7e);
    }
    take(slicer.end());
  } catch (thrown) {
    error = thrown;
  }
  return { rows, lines, pieces, slicer, error };
}

/** Cuts bytes into chunks at the given places, each taken modulo the length. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b);
  return [...sorted, bytes.length].map((end, index) => bytes.subarray(sorted[index - 1] ?? 0, end));
}
