import type { RejectedLine } from '../archive/slicer.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { RejectedRow } from '../postgres/rejected-rows.ts';

/** Which rows of a load are left out: lines by the place of their archive. */
export interface LeftOutRows {
  /** Of one archive; 0: none is. */
  readonly max: number;
  /** The lines of an archive that are left out, whatever they hold. */
  refusedBy(index: number): { keys(): Iterable<number> };
  /**
   * What takes the lines that the slicer leaves out of an archive.
   *
   * @param into gets the rows that are to be kept
   */
  collector(index: number, key: string, into: RejectedRow[]): (reject: RejectedLine) => void;
}

/** The rows of a load that may be left out, and why. */
export class Rejects implements LeftOutRows {
  /** Of one archive. */
  readonly max: number;
  readonly #refused = new Map<number, Map<number, ThawError>>();

  constructor(max: number) {
    this.max = max;
  }

  /** The lines of an archive that PostgreSQL is known to refuse. */
  refusedBy(index: number): ReadonlyMap<number, ThawError> {
    return this.#refused.get(index) ?? new Map();
  }

  /** @throws ThawError `RowRejected` when it is one too many */
  refuse(index: number, key: string, line: number, error: ThawError): void {
    const lines = this.#refused.get(index) ?? new Map<number, ThawError>();
    this.#refused.set(index, lines.set(line, error));
    if (lines.size > this.max) throw tooMany(key, this.max, line, error.message);
  }

  collector(index: number, key: string, into: RejectedRow[]): (reject: RejectedLine) => void {
    const refused = this.refusedBy(index);
    return ({ line, error: own, bytes }) => {
      const error = own ?? refused.get(line);
      const message = error?.message ?? '';
      if (into.length >= this.max) throw tooMany(key, this.max, line, message);
      const content = bytes.toString('utf8');
      into.push({ line, column: error?.column ?? null, sqlstate: error?.sqlstate ?? null, message, content });
    };
  }
}

function tooMany(key: string, max: number, line: number, last: string): ThawError {
  return new ThawError(
    'RowRejected',
    `${key}: more than ${max} rows are not accepted. Line ${line}: ${last}`,
    {
      object: key,
      line,
      hint: 'Alter the table, or allow more with --max-rejects; the rows are kept in thaw.rejected_rows then.',
    },
  );
}
