import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  type ChildWorkflowHandle,
  ParentClosePolicy,
  startChild,
} from '@temporalio/workflow';
import type { DumpActivities } from '../src/contract/dump-activities.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import { releaseSignal } from '../src/contract/messages.ts';
import { databaseWorkflowId, workflowTypes } from '../src/contract/names.ts';
import { summaryText } from '../src/restore/clip.ts';
import { throwIfCancelled } from './control.ts';
import { toFailure } from './failures.ts';
import type { holdDatabase } from './hold-database.ts';

/** The visible lock of a database, as long as a restore has it. */
export class DatabaseHold {
  #child: ChildWorkflowHandle<typeof holdDatabase> | null = null;

  /**
   * Takes the database of a request. It is let go by {@link letGo} and not by a cancel, as what was loaded has to be
   * removed before.
   *
   * @throws ApplicationFailure `TargetBusy` naming who has it
   */
  async take(
    { restoreId, server, database }: DumpRequest,
    nameHolder: DumpActivities['nameHolder'],
  ): Promise<void> {
    const workflowId = databaseWorkflowId(server, database);
    try {
      this.#child = await CancellationScope.nonCancellable(() =>
        startChild<typeof holdDatabase>(workflowTypes.holdDatabase, {
          workflowId,
          args: [restoreId],
          staticSummary: summaryText(`${database} is held`),
          parentClosePolicy: ParentClosePolicy.TERMINATE,
        }),
      );
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      const holder = await nameHolder({ workflowId });
      const who = holder === null ? 'Another restore' : `Restore ${holder.replace('restore/', '')}`;
      throw toFailure({
        code: 'TargetBusy',
        message: `${who} holds database ${database}: workflow ${workflowId} is running.`,
        hint: 'Wait for it (`thaw watch`), or cancel it.',
      });
    }
    await throwIfCancelled();
  }

  /** Lets it go, where it was taken. */
  async letGo(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    await child.signal(releaseSignal);
    await child.result();
  }
}
