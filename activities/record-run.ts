import { endLine } from '../src/bundle/import-log.ts';
import type { Activities } from '../src/contract/activities.ts';
import { appendLogs } from '../src/control/logs.ts';
import { updateRun } from '../src/control/runs.ts';
import type { BundleWorker } from './bundle-tools.ts';

/** Writes how far a run is; at its end also into its log. */
export function recordRun({ control }: BundleWorker): Activities['recordRun'] {
  return async ({ runId, state, progress, progressDetail, error, stack }) => {
    const line = endLine(state, error ?? null);
    await control.database.transaction(async (client) => {
      if (line !== null) await appendLogs(client, runId, [line]);
      await updateRun(client, runId, {
        state,
        ...(progress === undefined ? {} : { progress }),
        ...(progressDetail === undefined ? {} : { progressDetail }),
        ...(error === undefined
          ? {}
          : {
              error: error.message,
              errorDetail: [`${error.code}: ${error.message}`, error.hint, stack ?? ''].join('\n').trim(),
            }),
      });
    });
  };
}
