import { inArchiveOrder } from '../archive/key.ts';
import type { ValidationSink } from './validate.ts';
import type { ArchiveVerdict, Fault } from './verdict.ts';

/** One archive in the form of the archiver's own validation. */
export interface ArchiveReportJson {
  readonly s3_key: string;
  readonly valid: boolean;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Many archives in the form of the archiver's own validation. Lists hold keys. */
export interface ReportJson {
  readonly total_archives: number;
  readonly valid_archives: number;
  readonly invalid_archives: number;
  /** Metadata and manifests whose archive is not there. */
  readonly orphaned_files: readonly string[];
  /** Archives without metadata. */
  readonly missing_metadata: readonly string[];
  readonly checksum_failures: readonly string[];
  readonly record_count_mismatches: readonly string[];
  /** Everything that is wrong, what the other lists name included. */
  readonly errors: readonly { readonly file: string; readonly error: string }[];
  readonly is_valid: boolean;
}

/** Warnings that are kept; the others are counted. */
const maxWarnings = 100;

/** Puts together what a validation finds. Grows with what is wrong, not with what is right. */
export class Report implements ValidationSink {
  #total = 0;
  #records = 0;
  #bytes = 0;
  #invalid: ArchiveVerdict[] = [];
  #orphans: string[] = [];
  #warnings: string[] = [];
  #warned = 0;

  verdict(verdict: ArchiveVerdict): void {
    this.#total += 1;
    this.#records += verdict.records ?? 0;
    this.#bytes += verdict.bytes;
    this.#warned += verdict.warnings.length;
    this.#warnings.push(...verdict.warnings.slice(0, maxWarnings - this.#warnings.length));
    if (verdict.faults.length > 0) this.#invalid.push(verdict);
  }

  orphan(key: string): void {
    this.#orphans.push(key);
  }

  get archives(): number {
    return this.#total;
  }

  /** Records counted, where archives were read. */
  get records(): number {
    return this.#records;
  }

  /** Compressed. */
  get bytes(): number {
    return this.#bytes;
  }

  get orphans(): readonly string[] {
    return this.#orphans.toSorted();
  }

  /** The first of them, and how many there are. */
  get warnings(): { readonly first: readonly string[]; readonly count: number } {
    return { first: this.#warnings.toSorted(), count: this.#warned };
  }

  /** Archives with something wrong, in archive order. */
  get invalid(): readonly ArchiveVerdict[] {
    return inArchiveOrder(this.#invalid, ({ key }) => key);
  }

  get invalidArchives(): number {
    return this.#invalid.length;
  }

  get isValid(): boolean {
    return this.#invalid.length === 0 && this.#orphans.length === 0;
  }

  toJson(): ReportJson {
    const { invalid } = this;
    const keysWhere = (test: (verdict: ArchiveVerdict) => boolean): string[] =>
      invalid.filter(test).map(({ key }) => key);
    return {
      total_archives: this.#total,
      valid_archives: this.#total - invalid.length,
      invalid_archives: invalid.length,
      orphaned_files: this.orphans,
      missing_metadata: keysWhere(({ lacksMetadata }) => lacksMetadata),
      checksum_failures: keysWhere(({ faults }) => faults.some(({ code }) => code === 'ChecksumMismatch')),
      record_count_mismatches: keysWhere(({ isMiscounted }) => isMiscounted),
      errors: invalid.flatMap(({ key, faults }) =>
        faults.map((fault) => ({ file: key, error: faultText(fault) })),
      ),
      is_valid: this.isValid,
    };
  }
}

/** One archive, in the documented form. */
export function archiveReport({ key, faults, warnings }: ArchiveVerdict): ArchiveReportJson {
  return { s3_key: key, valid: faults.length === 0, errors: faults.map(faultText), warnings };
}

/** What is wrong, with its stable name. */
export function faultText({ code, message }: Fault): string {
  return `${code}: ${message}`;
}
