import type { RestoreDescription, WorkflowStart } from '../../client/restore-client.ts';
import type { RunRequest } from '../../contract/run-request.ts';
import type { ControlClient } from '../../control/control-database.ts';
import type { LogLine } from '../../control/logs.ts';
import type { RestoreSettings } from '../../control/restores.ts';
import type { RunChange } from '../../control/runs.ts';
import type { PreviewJob } from '../../preview/restore-preview.ts';
import type { Caller } from '../caller.ts';
import type { PreviewJson } from '../preview-json.ts';
import type { Run } from '../run.ts';
import type { SnapshotPreviewJson } from '../snapshot-preview-json.ts';

/** What decides how a restore from a source is done. */
export type SourceSettings = Omit<RestoreSettings, 'name' | 'description' | 'enabled'>;

/** The same as the user gives it: what is absent takes the source's default. */
export type SourceInput = {
  readonly [K in keyof SourceSettings]?: SourceSettings[K] | undefined;
};

/** Who asks for a run, and under which id. */
export interface RunOwner {
  readonly runId: string;
  readonly caller: Caller;
}

/** For whom a run is: another than who asks where root runs what a tenant has saved. */
export interface RunPlace {
  readonly tenant: string;
  /** The schema that bundles go into. */
  readonly namespace: string;
  /** Nothing is started: it is asked what would be done. */
  readonly isPlan: boolean;
  /** Looks something up in the control database. */
  readonly ask: <T>(question: (client: ControlClient) => Promise<T>) => Promise<T>;
}

/** How much a preview looks for, and what stops it. */
export type PreviewHow = Pick<PreviewJob, 'detectConflicts' | 'signal'>;

/** How runs of one kind are done and followed. */
export interface RunSource<R extends RunRequest = RunRequest> {
  /** The workflow that does it. */
  workflow(request: R): WorkflowStart;

  /** A run as its workflow tells, which has begun. */
  observe(runId: string, description: RestoreDescription): Promise<Run>;

  /** What is written of a run that was observed. */
  change(run: Run): RunChange;

  /** What its log says by now, without what its workflow writes itself; what was said before is said again. */
  lines(run: Run): LogLine[];

  /** A run that Temporal does not know (any more), as whatever else remembers it; null where nothing does. */
  recall(runId: string): Promise<Run | null>;

  /**
   * The run that takes one back which has ended; absent where nothing can.
   *
   * @param input the body of the request, which this checks
   * @throws ThawError `InputInvalid` for the body
   * @throws ApiError `CONFLICT` with the reason where it has kept nothing, or is undone already; `FORBIDDEN`
   */
  undo?(request: R, owner: RunOwner, input: unknown): Promise<RunRequest>;
}

/** A kind of source: what may be said of it, what a run of it is, and how that is followed. */
export interface Source<R extends RunRequest = RunRequest> extends RunSource<R> {
  /**
   * Checks the settings of a saved restore, and fills in what is absent.
   *
   * @throws ThawError `InputInvalid`, also for a conflict strategy that the source does not know
   */
  settings(input: SourceInput, caller: Caller): SourceSettings;

  /** The settings that a restore is asked for with, without being saved. @throws ThawError `InputInvalid` */
  settingsOnce(body: Readonly<Record<string, unknown>>, caller: Caller): SourceSettings;

  /**
   * What a run does. Settings that were good when they were saved need not be any more: a database may be gone
   * from the configuration.
   *
   * @throws ThawError `InputInvalid`
   * @throws ApiError `FORBIDDEN` for what the caller may not; `RECORD_NOT_FOUND` where the source is gone
   */
  request(settings: SourceSettings, owner: RunOwner, place: RunPlace): Promise<R>;

  /** What it would do, told without a run; null: a dry run is a run that is rolled back. */
  readonly preview: ((request: R, how: PreviewHow) => Promise<PreviewJson | SnapshotPreviewJson>) | null;
}
