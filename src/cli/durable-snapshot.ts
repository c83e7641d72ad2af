import type { SnapshotOutcome, SnapshotRequest } from '../contract/snapshot.ts';
import { type DurableJob, runDurableJob } from './durable-job.ts';
import type { ExitCode } from './exit-code.ts';
import { snapshotExitCode, snapshotOutcomeLines } from './snapshot-restore-lines.ts';
import { snapshotRestoresOf } from './temporal.ts';

type SnapshotJob = DurableJob<SnapshotRequest, SnapshotOutcome>;

/** Restores a snapshot, in the cluster or on an own Temporal server, and tells how it goes and how it ended. */
export function runDurableSnapshot(
  job: Pick<SnapshotJob, 'config' | 'flags' | 'env' | 'printer' | 'logger' | 'request' | 'prepare'>,
): Promise<ExitCode> {
  const { flags, printer } = job;
  return runDurableJob<SnapshotRequest, SnapshotOutcome>({
    ...job,
    client: snapshotRestoresOf,
    clear: async () => {},
    notes: [],
    again: 'is begun again, as Temporal has lost it',
    cancelling: 'the tables stay as they are.',
    tellEnd: (outcome) => {
      if (flags.json === true) printer.line(JSON.stringify(outcome));
      else for (const line of snapshotOutcomeLines(outcome)) printer.line(line);
      return snapshotExitCode(outcome);
    },
  });
}
