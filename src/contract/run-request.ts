import type { DrillRequest } from './drill.ts';
import type { DumpRequest } from './dump-request.ts';
import type { RestoreRequest } from './restore-request.ts';
import type { SnapshotRequest } from './snapshot.ts';
import type { SystemRequest } from './system-request.ts';
import type { UndoRequest } from './undo-request.ts';

/** What happens to a record of a bundle whose id is in the model already. */
export const bundleStrategies = ['replace', 'upsert', 'merge', 'sync', 'skip', 'error'] as const;
export type BundleStrategy = (typeof bundleStrategies)[number];

/** The parts of a bundle. */
export const bundleParts = ['describe', 'data'] as const;
export type BundlePart = (typeof bundleParts)[number];

/** A bundle that was sent to the API, or written by an extract: an object of the store. */
export interface StoredSource {
  readonly kind: 'stored';
  readonly key: string;
  readonly sha256: string;
  readonly filename: string;
}

/** Where the bytes of a bundle are; names only, a worker finds credentials and secrets in its own configuration. */
export type BundleSource =
  | StoredSource
  /** To be fetched by the worker; the token is the value of that environment variable. */
  | { readonly kind: 'url'; readonly url: string; readonly tokenVariable: string | null };

/** One request to restore a bundle into the models (tables) of a namespace (schema). */
export interface BundleRequest {
  /** Id of the restore and of the run. */
  readonly restoreId: string;
  readonly tenant: string;
  /** Fingerprint of what is not secret in the configuration of this database. */
  readonly fingerprint: string;
  /** `databases[].name` */
  readonly database: string;
  /** The schema that the models lie in. */
  readonly namespace: string;
  readonly source: BundleSource;
  readonly conflictStrategy: BundleStrategy;
  readonly include: readonly BundlePart[];
  /** Only these models; null: all. */
  readonly models: readonly string[] | null;
  /** Whether models that are not there may be made. */
  readonly createModels: boolean;
  /** Does everything and rolls it back. */
  readonly dryRun: boolean;
  /** Checks the file and touches no database. */
  readonly validateOnly: boolean;
  /** Leaves out model files whose SHA-256 was restored into the namespace before. */
  readonly incremental: boolean;
  /** Keeps what it changes and makes, so that it can be undone. @default false */
  readonly undoable?: boolean;
  /** Seconds without a sign of life after which the work of a worker is given to another. @default 20 */
  readonly heartbeatSeconds?: number;
}

/**
 * What a run does, by the kind of its source: the one place that a new kind is added to. `sourceType` is the
 * documented `source_type` of saved restores.
 */
export type RunRequest =
  | { readonly sourceType: 'archives'; readonly archives: RestoreRequest }
  | { readonly sourceType: 'upload' | 'url' | 'extract_run'; readonly bundle: BundleRequest }
  | { readonly sourceType: 'dump'; readonly dump: DumpRequest }
  | { readonly sourceType: 'drill'; readonly drill: DrillRequest }
  | { readonly sourceType: 'system'; readonly system: SystemRequest }
  | { readonly sourceType: 'snapshot'; readonly snapshot: SnapshotRequest }
  | { readonly sourceType: 'undo'; readonly undo: UndoRequest };

/** The kinds of sources that a restore can be saved of. */
export const sourceTypes = [
  'upload',
  'extract_run',
  'url',
  'archives',
  'dump',
  'drill',
  'system',
  'snapshot',
] as const;
export type SourceType = (typeof sourceTypes)[number];

/** What a run may be of: a source, or a run that it takes back, which cannot be saved. */
export const runSourceTypes = [...sourceTypes, 'undo'] as const;
export type RunSourceType = (typeof runSourceTypes)[number];
