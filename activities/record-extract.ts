import type { Activities } from '../src/contract/activities.ts';
import { updateExtractRun } from '../src/control/extract-runs.ts';
import type { WorkerControl } from './worker-control.ts';

/** Writes how an extract stands. */
export function recordExtract(control: WorkerControl): Activities['recordExtract'] {
  return async ({ runId, standing }) =>
    control.database.use((client) => updateExtractRun(client, runId, standing));
}
