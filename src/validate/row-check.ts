import type { CopyPiece } from '../archive/copy-piece.ts';
import { Slicer } from '../archive/slicer.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { copyValues } from './copy-fields.ts';
import { keyText, type Manifest, nullKey } from './manifest.ts';

/** What goes over the lines of an archive while it is read. */
export interface LineCheck {
  /** @throws ThawError for what is wrong with a line; the check is over then. */
  push(chunk: Buffer): void | Promise<void>;
  /** The archive has ended. @throws ThawError */
  end(): void | Promise<void>;
  /** Lets go of what it holds, after an error too. */
  close(): void | Promise<void>;
}

/** Python's `str()` of bytes, which says nothing that the base64 of the rows could be compared with. */
const pythonBytes = /^b['"]/;

/**
 * Goes over every line as strictly as a restore does, and compares the keys of the rows with those that
 * the archiver says it deleted: as sets, since of a key of several columns it knows only the first.
 */
export class RowCheck implements LineCheck {
  readonly #archive: string;
  readonly #manifest: Manifest | null;
  readonly #slicer: Slicer;
  /** Of the manifest, and not met yet. */
  readonly #missing: Set<string>;
  #surplus = 0;
  #firstSurplusLine = 0;
  #withoutKey = 0;

  /** @param manifest null: there is none to compare with */
  constructor(archive: string, manifest: Manifest | null) {
    this.#archive = archive;
    this.#manifest = manifest !== null && isComparable(manifest) ? manifest : null;
    this.#missing = new Set(this.#manifest?.keys);
    const column = this.#manifest?.column;
    const columns =
      column === undefined
        ? []
        : [{ name: column, key: column, type: { kind: 'scalar', name: 'text' } as const }];
    this.#slicer = new Slicer(columns, { archive });
  }

  push(chunk: Buffer): void {
    for (const piece of this.#slicer.push(chunk)) this.#take(piece);
  }

  end(): void {
    for (const piece of this.#slicer.end()) this.#take(piece);
    const { column } = this.#manifest ?? { column: '' };
    if (this.#withoutKey > 0) {
      throw this.#mismatch(
        `${this.#withoutKey} of its records have no ${column}, which is the key of its manifest`,
      );
    }
    const parts = [
      ...(this.#surplus === 0
        ? []
        : [
            `${this.#surplus} records have keys that it does not name (the first in line ${this.#firstSurplusLine})`,
          ]),
      ...(this.#missing.size === 0 ? [] : [`${this.#missing.size} keys that it names have no record`]),
    ];
    if (parts.length > 0) throw this.#mismatch(`its manifest disagrees: ${parts.join(', ')}`);
  }

  close(): void {
    this.#slicer.dispose();
  }

  #take(piece: CopyPiece): void {
    if (this.#manifest !== null) this.#compare(piece, this.#manifest);
    piece.release();
  }

  #compare(piece: CopyPiece, { keys }: Manifest): void {
    if (piece.columns.length === 0) {
      this.#withoutKey += piece.rows;
      return;
    }
    let row = 0;
    for (const value of copyValues(piece.bytes)) {
      const key = value === null ? nullKey : keyText(value);
      this.#missing.delete(key);
      if (!keys.has(key)) {
        if (this.#surplus === 0) this.#firstSurplusLine = piece.lineOf(row);
        this.#surplus += 1;
      }
      row += 1;
    }
  }

  #mismatch(what: string): ThawError {
    return new ThawError('CountMismatch', `${this.#archive}: ${what}.`, {
      object: this.#archive,
      stage: 'slice',
      hint: 'Rows that the archiver deleted and did not archive are lost; compare the archive with other copies of it.',
    });
  }
}

function isComparable({ keys }: Manifest): boolean {
  for (const key of keys) return !pythonBytes.test(key);
  return true;
}
