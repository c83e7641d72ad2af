import type { RestoreDescription, WorkflowStart } from '../../client/restore-client.ts';
import type { RunRequest } from '../../contract/run-request.ts';
import type { RestoreSettings } from '../../control/restores.ts';
import type { PreviewJob } from '../../preview/restore-preview.ts';
import type { Caller } from '../caller.ts';
import type { PreviewJson } from '../preview-json.ts';
import type { Run } from '../run.ts';

/** What decides how a restore from a source is done. */
export type SourceSettings = Omit<RestoreSettings, 'name' | 'description' | 'enabled'>;

/** The same as the user gives it: what is absent takes the source's default. */
export type SourceInput = {
  readonly [K in keyof SourceSettings]?: SourceSettings[K] | undefined;
};

/** For whom, and under which id, a run is asked for. */
export interface RunOwner {
  readonly runId: string;
  readonly caller: Caller;
}

/** How much a preview looks for, and what stops it. */
export type PreviewHow = Pick<PreviewJob, 'detectConflicts' | 'signal'>;

/** A kind of source: what may be said of it, what a run of it is, and how that is followed. */
export interface Source<R extends RunRequest = RunRequest> {
  /**
   * Checks the settings of a saved restore, and fills in what is absent.
   *
   * @throws ThawError `InputInvalid`, also for a conflict strategy that the source does not know
   */
  settings(input: SourceInput): SourceSettings;

  /** The settings that a restore is asked for with, without being saved. @throws ThawError `InputInvalid` */
  settingsOnce(body: Readonly<Record<string, unknown>>): SourceSettings;

  /**
   * What a run does. Settings that were good when they were saved need not be any more: a database may be gone
   * from the configuration.
   *
   * @throws ThawError `InputInvalid`
   */
  request(settings: SourceSettings, owner: RunOwner): R;

  /** The workflow that does it. */
  workflow(request: R): WorkflowStart;

  /** What it would do, told without a run. */
  preview(request: R, how: PreviewHow): Promise<PreviewJson>;

  /** A run as its workflow tells, which has begun. */
  observe(runId: string, description: RestoreDescription): Promise<Run>;

  /** A run that Temporal does not know (any more), as whatever else remembers it; null where nothing does. */
  recall(runId: string): Promise<Run | null>;
}
