import type { Logger } from 'pino';
import { toSnapshotRestore } from '../client/snapshot-restore-request.ts';
import { snapshotUndo } from '../client/snapshot-undo.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { StoredSnapshotRestore } from '../postgres/snapshot-restores.ts';
import { confirmByName } from './confirm.ts';
import { runDurableSnapshot } from './durable-snapshot.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { TemporalFlags } from './flags.ts';
import type { Printer } from './printer.ts';
import { whoAsks } from './who-asks.ts';

/** One `thaw undo` of a restore of a snapshot. */
export interface SnapshotUndoJob {
  readonly config: ThawConfig;
  readonly restore: StoredSnapshotRestore;
  readonly flags: TemporalFlags & { readonly taskQueue?: string; readonly json?: boolean };
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
  readonly logger: Logger;
  readonly reason: string | null;
  readonly force: boolean;
  readonly preSnapshot: boolean;
  /** Asks nothing. */
  readonly yes: boolean;
}

/**
 * Brings back what was there before a restore of a snapshot, as a restore does, and tells how it ended.
 *
 * @throws ThawError where it cannot be undone, and why
 */
export async function undoSnapshotRestore(job: SnapshotUndoJob): Promise<ExitCode> {
  const { config, restore, flags, env, printer, yes } = job;
  const { restoreId } = restore.request;
  if (restore.undoneAt !== null) {
    printer.aside(`The restore is undone already, at ${restore.undoneAt}.`);
    if (flags.json === true) printer.line(JSON.stringify({ restoreId, undoneAt: restore.undoneAt }));
    return exitCodes.done;
  }
  const input = snapshotUndo(restore, { ...job, by: whoAsks(env) });
  if (!yes && !(await confirmByName(restoreId, consequencesOf(job)))) {
    printer.aside('Not confirmed: nothing was done.');
    return exitCodes.failed;
  }
  return runDurableSnapshot({
    ...job,
    request: (undoId, heartbeatSeconds) => toSnapshotRestore(config, input, undoId, heartbeatSeconds),
  });
}

/** What is done, as it is told to who confirms it. */
function consequencesOf({ restore, force, preSnapshot }: SnapshotUndoJob): string[] {
  const { request, outcome, preSnapshotId } = restore;
  const tables = outcome?.tables.map(({ schema, table }) => `${schema}.${table}`).join(', ') ?? 'Its tables';
  return [
    `${tables} of ${request.database} become what snapshot ${preSnapshotId} holds: what was there before.`,
    force
      ? 'Rows that were changed since the restore are lost.'
      : 'Where a table has changed since the restore, nothing is done.',
    preSnapshot
      ? 'A snapshot of what is there is taken first.'
      : 'No snapshot is taken first: this cannot be undone.',
  ];
}
