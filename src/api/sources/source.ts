import type { RunRequest } from '../../contract/run-request.ts';
import type { RestoreSettings } from '../../control/restores.ts';
import type { Caller } from '../caller.ts';

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

/** A kind of source: what may be said of it, and what a run of it is. */
export interface Source {
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
  request(settings: SourceSettings, owner: RunOwner): RunRequest;
}
