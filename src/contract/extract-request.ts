import type { TableError } from './outcome.ts';
import type { BundlePart } from './run-request.ts';

/** One request to write tables of a namespace (schema) as a bundle. */
export interface ExtractRequest {
  readonly runId: string;
  readonly extractId: string;
  /** Fingerprint of what is not secret in the configuration of this database. */
  readonly fingerprint: string;
  /** `databases[].name` */
  readonly database: string;
  /** The schema that the models lie in. */
  readonly namespace: string;
  readonly include: readonly BundlePart[];
  /** Only these models; null: all. */
  readonly models: readonly string[] | null;
  /** Seconds that the bundle is kept. */
  readonly keep: number;
}

/** What an extract has written. */
export interface ExtractResult {
  /** Of the bundle in the store. */
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly models: number;
  readonly records: number;
  /** The first of what has no words in describe.yaml. */
  readonly notices: readonly string[];
}

/** How an extract stands, for the control database. */
export type ExtractStanding =
  | { readonly status: 'running' }
  | { readonly status: 'completed'; readonly result: ExtractResult; readonly keep: number }
  | { readonly status: 'failed'; readonly error: TableError }
  | { readonly status: 'cancelled' };

/** A step of an extract's run. */
export interface RecordExtractInput {
  readonly runId: string;
  readonly standing: ExtractStanding;
}

/** The activities of extracts, by the names that the UI shows. Each file of activities/ implements one. */
export interface ExtractActivities {
  /** Writes the bundle into the store. */
  writeExtract(request: ExtractRequest): Promise<ExtractResult>;
  /** Writes how an extract stands. */
  recordExtract(input: RecordExtractInput): Promise<void>;
}
