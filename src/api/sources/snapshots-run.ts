import type { RestoreDescription } from '../../client/restore-client.ts';
import type { SnapshotRestoreClient } from '../../client/snapshot-restore-client.ts';
import { isTemporalUnavailable } from '../../client/temporal-error.ts';
import { isEnded } from '../../contract/progress.ts';
import type { SnapshotOutcome } from '../../contract/snapshot.ts';
import type { SnapshotProgress, SnapshotRestoreStep } from '../../contract/snapshot-restore.ts';
import type { LogLine } from '../../control/logs.ts';
import type { RunChange } from '../../control/runs.ts';
import type { StoredSnapshotRestore } from '../../postgres/snapshot-restores.ts';
import { mergedTally, tableSteps } from '../../restore/snapshot-progress.ts';
import { nameOf } from '../../snapshot/order/table-order.ts';
import { bareRun, type Run, type RunTimes, runOfProgress } from '../run.ts';
import { changeOf, endLines } from '../run-change.ts';

/** What is needed to follow a restore of a snapshot. */
export interface SnapshotsFollowing {
  readonly snapshotRestores: Pick<SnapshotRestoreClient, 'progress' | 'outcome'>;
  /** Looks a restore up in the databases; null when none has it. */
  readonly findSnapshotRestore: (restoreId: string) => Promise<StoredSnapshotRestore | null>;
  /** Ends restores of a database whose workflows have ended without having done so. */
  readonly settleSnapshots: (database: string) => Promise<void>;
}

/** A restore of a snapshot as its workflow tells, which has begun. */
export async function observeSnapshot(
  following: SnapshotsFollowing,
  id: string,
  description: RestoreDescription,
): Promise<Run> {
  const { snapshotRestores } = following;
  if (description.standing === 'running') {
    return runOfSnapshotProgress(await snapshotRestores.progress(id), description);
  }
  try {
    return runOfSnapshotOutcome(await snapshotRestores.outcome(id), description);
  } catch (error) {
    // Temporal keeps no result of a cancelled run: where no worker answers for its workflow, its record does.
    if (description.standing !== 'cancelled' || !isTemporalUnavailable(error)) throw error;
    return (await recalledSnapshot(following, id)) ?? bareRun(id, 'cancelled', description, null);
  }
}

/** A restore of a snapshot as the database that it was of remembers it. */
export async function recalledSnapshot(
  { findSnapshotRestore, settleSnapshots }: SnapshotsFollowing,
  id: string,
): Promise<Run | null> {
  const found = await findSnapshotRestore(id);
  if (found === null) return null;
  if (found.outcome === null) await settleSnapshots(found.request.database);
  const recorded = found.outcome === null ? ((await findSnapshotRestore(id)) ?? found) : found;
  const { request, state, outcome, startedAt, endedAt } = recorded;
  const times = { createdAt: new Date(startedAt), endedAt: endedAt === null ? null : new Date(endedAt) };
  if (outcome !== null) return runOfSnapshotOutcome(outcome, times);
  return { ...bareRun(id, state, times, null), database: request.database };
}

function runOfSnapshotProgress(progress: SnapshotProgress, times: RunTimes): Run {
  const { snapshotStep: step, source, strategy, steps, keys, locks, preSnapshotId, notices } = progress;
  return {
    ...runOfProgress(progress, times),
    snapshot: { step, source, strategy, steps, keys, locks, preSnapshotId, notices, tables: [] },
  };
}

function runOfSnapshotOutcome(outcome: SnapshotOutcome, times: RunTimes): Run {
  const { restoreId, database, state, source, strategy, tables, preSnapshotId, notices, error } = outcome;
  return {
    ...bareRun(restoreId, state, times, error),
    database,
    startedAt: new Date(outcome.startedAt),
    archives: { done: tables.length, total: state === 'completed' ? tables.length : null },
    tally: mergedTally(tables),
    snapshot: {
      ...{ step: null, source, strategy, keys: [], locks: [], preSnapshotId, notices, tables },
      steps: tableSteps(
        tables.map(({ schema, table }) => ({ schema, table, rows: 0 })),
        'finish',
        'completed',
      ),
    },
  };
}

/** The documented phases of a run. */
const phases: Readonly<Record<SnapshotRestoreStep, string>> = {
  check: 'planning',
  snapshot: 'planning',
  stage: 'importing_data',
  merge: 'importing_data',
  finish: 'importing_data',
};

/** What is written of a restore of a snapshot. */
export function snapshotChange(run: Run): RunChange {
  const change = changeOf(run);
  const { snapshot } = run;
  if (snapshot === null) return change;
  const { step, steps, preSnapshotId, tables } = snapshot;
  const recordsDeleted = tables.reduce((sum, { deleted }) => sum + deleted, 0);
  const current = steps.find(({ status }) => status === 'merging' || status === 'staging');
  return {
    ...change,
    progressDetail: {
      ...change.progressDetail,
      ...(step === null ? {} : { phase: phases[step], step }),
      current_model: current?.table ?? null,
      records_deleted: recordsDeleted,
      pre_snapshot_id: preSnapshotId,
      steps: steps.slice(0, mostSteps).map((one) => ({ ...one })),
    },
    counts: { ...change.counts, recordsDeleted },
  };
}

/** Tables whose steps a record tells. */
const mostSteps = 500;

/** What the log says of a restore of a snapshot by now. */
export function snapshotLines(run: Run): LogLine[] {
  const { snapshot } = run;
  if (snapshot === null) return isEnded(run.state) ? endLines(run) : [];
  const { preSnapshotId, keys, tables, notices } = snapshot;
  return [
    ...(preSnapshotId === null
      ? []
      : [line('before', null, null, `What was there is kept as snapshot ${preSnapshotId}`)]),
    ...keys.map(({ name, table, hold }) =>
      line(`key/${table}/${name}`, null, table, `Foreign key ${name}: ${hold}`),
    ),
    ...tables.map((table) => {
      const { inserted, updated, deleted, unchanged } = table;
      const what = `Inserted ${inserted} records, updated ${updated}, deleted ${deleted}, left ${unchanged} unchanged`;
      return line(`table/${nameOf(table)}`, 'data_import', nameOf(table), what);
    }),
    ...notices.map((notice, place) => line(`notice/${place}`, null, null, notice, 'warn')),
    ...(isEnded(run.state) ? endLines(run) : []),
  ];
}

function line(
  key: string,
  phase: LogLine['phase'],
  model: string | null,
  message: string,
  level: LogLine['level'] = 'info',
): LogLine {
  return { key, level, phase, model, record: null, message, detail: null };
}
