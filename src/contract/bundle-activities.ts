import type { TableError } from './outcome.ts';
import type { RestoreState } from './progress.ts';
import type { BundleRequest, StoredSource } from './run-request.ts';

/** What was found in a bundle, of what was asked for. */
export interface BundleContents {
  readonly models: number;
  readonly files: number;
  /** Of the files, decompressed. */
  readonly bytes: number;
  /** Whether the search attributes are registered: setting one that is not makes workflow tasks fail for ever. */
  readonly searchAttributes: boolean;
}

/** Models by name, in groups that are loaded in one transaction each. */
export type ModelGroups = readonly (readonly string[])[];

/** What has to be loaded. */
export interface BundlePlan {
  readonly modelsCreated: number;
  readonly fieldsCreated: number;
  /** Each is loaded by one activity, in this order. */
  readonly parts: readonly ModelGroups[];
}

/** Records and files by what became of them. */
export interface BundleTally {
  readonly files: number;
  readonly inserted: number;
  readonly updated: number;
  readonly skipped: number;
  readonly deleted: number;
}

/** What an import did, or would do, with one model. */
export interface ModelReport {
  readonly model: string;
  readonly created: boolean;
  readonly fieldsCreated: number;
  readonly inserts: number;
  readonly updates: number;
  readonly skips: number;
  readonly deletes: number;
}

/** How many models a dry run tells of one by one. */
export const maxModelsReported = 1_000;

/** Asks to load models. */
export interface ImportModelsInput {
  readonly request: BundleRequest;
  readonly groups: ModelGroups;
  /** Files to load, of all parts. */
  readonly filesTotal: number;
}

/** An import in one transaction. */
export interface WholeImport {
  readonly modelsCreated: number;
  readonly fieldsCreated: number;
  readonly tally: BundleTally;
}

/** A step of a run, for the control database. */
export interface RecordRunInput {
  readonly runId: string;
  readonly state: RestoreState;
  readonly progress?: number;
  readonly progressDetail?: Readonly<Record<string, unknown>>;
  readonly error?: TableError;
  /** Where the error arose. */
  readonly stack?: string;
}

/** The end of a restore of a bundle. */
export interface BundleOutcome {
  readonly restoreId: string;
  readonly state: 'completed' | 'failed' | 'cancelled';
  readonly database: string;
  readonly namespace: string;
  readonly modelsCreated: number;
  readonly fieldsCreated: number;
  readonly tally: BundleTally;
  readonly error: TableError | null;
  /** Seconds from the start to the end, pauses included. */
  readonly seconds: number;
}

/** The activities of bundles, by the names that the UI shows. Each file of activities/ implements one. */
export interface BundleActivities {
  /** Brings a bundle that lies elsewhere into the store. */
  fetchBundle(request: BundleRequest): Promise<StoredSource>;
  /** Opens the bundle and checks it and what it requires; with `validateOnly` its files are read to their ends. */
  inspectBundle(request: BundleRequest): Promise<BundleContents>;
  /** Makes the models that are missing, and orders them by their relationships. */
  importDescribe(request: BundleRequest): Promise<BundlePlan>;
  /** Loads models, a transaction for each group. */
  importModels(input: ImportModelsInput): Promise<BundleTally>;
  /** Makes models and loads them in one transaction, which a dry run rolls back. */
  importWhole(request: BundleRequest): Promise<WholeImport>;
  /** Moves sequences, runs ANALYZE, writes that the bundle is installed. */
  finishBundle(request: BundleRequest): Promise<void>;
  /** Writes how far a run is. */
  recordRun(input: RecordRunInput): Promise<void>;
}
