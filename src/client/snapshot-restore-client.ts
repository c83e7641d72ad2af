import type { Client } from '@temporalio/client';
import { workflowTypes } from '../contract/names.ts';
import type { SnapshotOutcome, SnapshotRequest, SnapshotStep } from '../contract/snapshot.ts';
import type { SnapshotHeartbeat, SnapshotProgress } from '../contract/snapshot-restore.ts';
import { summaryText } from '../restore/clip.ts';
import { tellSource } from '../restore/snapshot-progress.ts';
import { OutcomeClient } from './outcome-client.ts';
import type { WorkflowStart } from './restore-client.ts';

/** Starts restores of snapshots and asks how they go. */
export class SnapshotRestoreClient extends OutcomeClient<SnapshotRequest, SnapshotOutcome, SnapshotProgress> {
  constructor(client: Client, taskQueue: string) {
    super(client, taskQueue, snapshotRestoreWorkflow);
  }

  /** Whether a restore that Temporal knows is one of a snapshot. Needs no worker. */
  async isSnapshot(restoreId: string): Promise<boolean> {
    return (await this.typeOf(restoreId)) === workflowTypes.restoreSnapshot;
  }

  override async progress(restoreId: string): Promise<SnapshotProgress> {
    const progress = await super.progress(restoreId);
    if (progress.snapshotStep !== 'stage' && progress.snapshotStep !== 'merge') return progress;
    const told = await this.heartbeat<Partial<SnapshotHeartbeat>>(restoreId);
    return told?.steps === undefined ? progress : { ...progress, steps: further(progress.steps, told.steps) };
  }
}

/** What the activity tells of tables, where it is further than the workflow knows of. */
function further(known: readonly SnapshotStep[], told: readonly SnapshotStep[]): SnapshotStep[] {
  const byTable = new Map(told.map((step) => [step.table, step]));
  return known.map((step) => {
    const other = byTable.get(step.table);
    if (other === undefined || other.progress_pct < step.progress_pct) return step;
    const { table, status, progress_pct, eta_seconds } = other;
    return { table, status, progress_pct, eta_seconds };
  });
}

/** The workflow of a restore of a snapshot. */
export function snapshotRestoreWorkflow(request: SnapshotRequest): WorkflowStart {
  const { database, source, strategy } = request;
  const summary = summaryText(`${database} to ${tellSource(source)} (${strategy})`);
  return { type: workflowTypes.restoreSnapshot, args: [request], summary };
}
