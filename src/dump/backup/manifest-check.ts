import { createHash } from 'node:crypto';
import { ThawError } from '../../contract/thaw-error.ts';
import type { DumpManifest } from './manifest.ts';

/** What is compared of a table. */
interface CountedTable {
  readonly table: string;
  readonly rows: number | null;
}

const hint = 'Restore an earlier dump (`thaw dumps` lists them, --fallback takes the one before).';

/** Compares a dump that is being read with what its manifest says of it. */
export class ManifestCheck {
  readonly #key: string;
  readonly #manifest: DumpManifest;
  readonly #digest = createHash('sha256');
  #bytes = 0;

  constructor(key: string, manifest: DumpManifest) {
    this.#key = key;
    this.#manifest = manifest;
  }

  /** Takes the next bytes of the object. */
  take(chunk: Uint8Array): void {
    this.#digest.update(chunk);
    this.#bytes += chunk.length;
  }

  /**
   * Compares, once all bytes have come.
   *
   * @param tables what was counted in the dump
   * @throws ThawError `ChecksumMismatch`, `CountMismatch`
   */
  compare(tables: readonly CountedTable[]): void {
    const { sha256, bytes } = this.#manifest;
    if (this.#digest.digest('hex') !== sha256) {
      const size = this.#bytes === bytes ? '' : ` (${this.#bytes} bytes in place of ${bytes})`;
      throw new ThawError('ChecksumMismatch', `${this.#key}: is not the dump of its manifest${size}`, {
        object: this.#key,
        hint,
      });
    }
    const counted = new Map(tables.map(({ table, rows }) => [table, rows]));
    for (const { table, rows } of this.#manifest.tables) {
      const found = counted.get(table);
      if (rows === null || found === null || found === rows) continue;
      const what = found === undefined ? 'is not there' : `has ${found} rows`;
      throw new ThawError(
        'CountMismatch',
        `${this.#key}: ${table} ${what}, and ${rows} rows by its manifest`,
        { object: this.#key, hint },
      );
    }
  }
}
