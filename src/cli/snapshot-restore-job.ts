import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { type SnapshotRestoreInput, toSnapshotRestore } from '../client/snapshot-restore-request.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { tellSource } from '../restore/snapshot-progress.ts';
import { selectionKey } from '../snapshot/container/snapshot-keys.ts';
import { storeSelection } from '../snapshot/merge/selection.ts';
import { nameOf } from '../snapshot/order/table-order.ts';
import { openStore } from '../store/open-store.ts';
import { confirmByName } from './confirm.ts';
import { runDurableSnapshot } from './durable-snapshot.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { TemporalFlags } from './flags.ts';
import type { Printer } from './printer.ts';
import { selectionChunks } from './selection-file.ts';
import type { SnapshotChoice } from './snapshot-choice.ts';

/** One `thaw snapshot restore`. */
export interface SnapshotRestoreJob {
  readonly config: ThawConfig;
  readonly choice: SnapshotChoice;
  readonly how: Pick<SnapshotRestoreInput, 'ifUnchanged' | 'again' | 'preSnapshot' | 'reason' | 'by'>;
  /** Asks nothing. */
  readonly isSure: boolean;
  readonly flags: TemporalFlags & {
    readonly json?: boolean;
    readonly detach?: boolean;
    readonly taskQueue?: string;
  };
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
  readonly logger: Logger;
}

/** Restores a snapshot, once that is confirmed, and tells how it goes and how it ended. */
export async function restoreSnapshot(job: SnapshotRestoreJob): Promise<ExitCode> {
  const { config, choice, how, printer } = job;
  const { database, selection, ...rest } = choice;
  const input = { ...rest, ...how, database: database.name };
  toSnapshotRestore(config, { ...input, selection: selection?.path ?? null }, '', 0);
  if (!job.isSure && !(await confirmByName(database.name, consequencesOf(job)))) {
    printer.aside('Not confirmed: nothing was done.');
    return exitCodes.failed;
  }
  const digest = selection === null ? null : await digestOf(selection.path);
  const { prefix } = config.store;
  return runDurableSnapshot({
    ...job,
    request: (restoreId, heartbeatSeconds) => {
      // Without an id it tells one command from another, and they take the same where the file is the same.
      const key = digest === null ? null : selectionKey(prefix, restoreId === '' ? digest : restoreId);
      return toSnapshotRestore(config, { ...input, selection: key }, restoreId, heartbeatSeconds);
    },
    prepare: async ({ restoreId }) => {
      if (selection !== null) await storeFile(job, restoreId, selection.path);
    },
  });
}

/** What is done, as it is told to who confirms it. */
function consequencesOf({ choice, how }: SnapshotRestoreJob): string[] {
  const { database, source, tables, tenant, strategy, pointInTime } = choice;
  const { host, port, name } = database;
  const names = tables?.map(nameOf);
  const what = names === undefined ? 'All its tables' : names.join(', ');
  const where = tenant === null ? '' : `, where ${tenant.column} is ${tenant.value},`;
  const becomes = {
    overwrite: 'become what it holds; what was changed in them since is lost',
    merge: 'get what it has newer, and rows that they do not have',
    selective: 'get the differences that were marked',
  }[strategy];
  return [
    `${tellSource(source)} is restored into ${name} on ${host}:${port}.`,
    ...(pointInTime === null
      ? []
      : [`The changes in ${nameOf(pointInTime.log)} up to ${pointInTime.to} are replayed over it.`]),
    `${what}${where} ${becomes}.`,
    how.preSnapshot
      ? 'A snapshot of what is there is taken first.'
      : 'No snapshot of what is there is taken first: this cannot be undone.',
  ];
}

async function digestOf(path: string): Promise<string> {
  const digest = createHash('sha256');
  for await (const chunk of selectionChunks(path)) digest.update(chunk);
  return digest.digest('hex');
}

/** Brings a file of marked differences where workers read it until the restore ends. */
async function storeFile(
  { config, env }: SnapshotRestoreJob,
  restoreId: string,
  path: string,
): Promise<void> {
  const store = openStore(config.store, env);
  try {
    await storeSelection({ store, prefix: config.store.prefix }, restoreId, selectionChunks(path));
  } finally {
    store.close();
  }
}
