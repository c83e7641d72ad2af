import { parseInput } from '../../client/restore-input.ts';
import { fingerprint } from '../../config/fingerprint.ts';
import type { ThawConfig } from '../../config/thaw-config.ts';
import type { RunRequest } from '../../contract/run-request.ts';
import { ApiError } from '../api-error.ts';
import { undoInput } from '../undo-input.ts';
import type { RunOwner } from './source.ts';

/** A restore that is taken back. */
export interface UndoneRun {
  readonly restoreId: string;
  readonly database: string;
  readonly config: ThawConfig;
}

/**
 * The run that takes a restore back.
 *
 * @param input the body of the request
 * @throws ThawError `InputInvalid` for the body
 */
export function undoRun(
  { runId, caller }: RunOwner,
  { restoreId: undoes, database, config }: UndoneRun,
  input: unknown,
): RunRequest {
  const { reason, disable_triggers } = parseInput(undoInput, input);
  return {
    sourceType: 'undo',
    undo: {
      ...{ restoreId: runId, undoes, database, fingerprint: fingerprint(config, database) },
      ...{ disableTriggers: disable_triggers ?? false, by: caller.subject, reason: reason ?? null },
    },
  };
}

/** A run that has been taken back. */
export function undoneAlready(): ApiError {
  return new ApiError('CONFLICT', 'The run is undone already.', {
    hint: 'GET /api/data/restore_runs?source_type=undo lists the runs that did it.',
  });
}

/** A run that cannot be taken back. */
export function nothingKept(why: string): ApiError {
  return new ApiError('CONFLICT', `The run has kept nothing that it could be undone by: ${why}.`, {
    hint: 'Ask for restores with "undoable": true that may have to be undone.',
  });
}
