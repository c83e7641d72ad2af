import type { RestoreClient, RestoreDescription } from '../../client/restore-client.ts';
import { isTemporalUnavailable } from '../../client/temporal-error.ts';
import type { RestoreOutcome } from '../../contract/outcome.ts';
import type { RestoreState } from '../../contract/progress.ts';
import { bareRun, type Run, runOfOutcome, runOfProgress } from '../run.ts';

/** A restore as the target database has it, which remembers longer than Temporal. */
export interface RecordedRestore {
  readonly database: string;
  readonly state: RestoreState;
  readonly outcome: RestoreOutcome | null;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

/** Looks a restore up in the target databases; null when none has it. */
export type FindRecorded = (restoreId: string) => Promise<RecordedRestore | null>;

/** What is needed to follow a restore of archives. */
export interface ArchivesFollowing {
  readonly restores: Pick<RestoreClient, 'progress' | 'outcome'>;
  readonly findRecorded: FindRecorded;
}

/** A restore of archives as its workflow tells, which has begun. */
export async function observeArchives(
  { restores, findRecorded }: ArchivesFollowing,
  id: string,
  description: RestoreDescription,
): Promise<Run> {
  if (description.standing === 'running') return runOfProgress(await restores.progress(id), description);
  if (description.standing !== 'cancelled') return runOfOutcome(await restores.outcome(id), description);
  try {
    // Temporal keeps no result of a cancelled run: its workflow still answers, where a worker is there.
    return runOfProgress(await restores.progress(id), description);
  } catch (error) {
    if (!isTemporalUnavailable(error)) throw error;
    return (await recordedArchives(findRecorded, id)) ?? bareRun(id, 'cancelled', description, null);
  }
}

/** A restore of archives as the target database remembers it. */
export async function recordedArchives(findRecorded: FindRecorded, id: string): Promise<Run | null> {
  const recorded = await findRecorded(id);
  if (recorded === null) return null;
  const { database, state, outcome } = recorded;
  if (outcome === null) return { ...bareRun(id, state, recorded, null), database };
  return runOfOutcome(outcome, recorded);
}
