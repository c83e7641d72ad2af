import type { BackupRequest } from './backup-request.ts';

/** Names that more than one process must agree on. */

/** Task queue when neither flag nor `THAW_TASK_QUEUE` says otherwise. */
export const defaultTaskQueue = 'thaw';

/** Workflow types, as registered by workers and started by clients. */
export const workflowTypes = {
  restoreAll: 'restoreAll',
  restoreTable: 'restoreTable',
  restoreArchive: 'restoreArchive',
  restorePack: 'restorePack',
  restoreBundle: 'restoreBundle',
  extractBundle: 'extractBundle',
  restoreDump: 'restoreDump',
  holdDatabase: 'holdDatabase',
  dropOldDatabase: 'dropOldDatabase',
  backupDump: 'backupDump',
  drill: 'drill',
  restoreSystem: 'restoreSystem',
  restorePitr: 'restorePitr',
  createSnapshot: 'createSnapshot',
  restoreSnapshot: 'restoreSnapshot',
  undoRestore: 'undoRestore',
} as const;

/** Search attributes, all of type Keyword; a worker registers them when it starts. */
export const searchAttributes = {
  restoreId: 'ThawRestoreId',
  database: 'ThawDatabase',
  table: 'ThawTable',
  state: 'ThawState',
} as const;

/** Workflow id of a restore. */
export function restoreWorkflowId(restoreId: string): string {
  return `restore/${restoreId}`;
}

/** An id that sorts by time: `YYYYMMDD-HHMMSS-` in UTC, and what makes it the only one. */
export function timedId(now: Date, unique: string): string {
  const [day = '', time = ''] = now.toISOString().split('T');
  return `${day.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}-${unique}`;
}

/** Id of the schedule of snapshots of one name. */
export function snapshotScheduleId(database: string, name: string): string {
  return `snapshot/${encodeName(database)}/${encodeName(name)}`;
}

/** Workflow id of a snapshot that is taken. */
export function snapshotWorkflowId(id: string): string {
  return `snapshot/${id}`;
}

/** Workflow id of a run of an extract. */
export function extractWorkflowId(runId: string): string {
  return `extract/${runId}`;
}

/** Workflow id of a table: the visible lock on the target, hence without the restore's id. */
export function targetWorkflowId(database: string, schema: string, table: string): string {
  return `target/${encodeName(database)}/${encodeName(schema)}.${encodeName(table)}`;
}

/** Workflow id of an archive or pack below its table. `what` names first and last archive. */
export function loadWorkflowId(tableWorkflowId: string, restoreId: string, what: string): string {
  return `${tableWorkflowId}/${restoreId}/${what}`;
}

/** Workflow id of what holds a database while a dump is restored into it: the visible lock. `server` is `host:port`. */
export function databaseWorkflowId(server: string, database: string): string {
  return `database/${encodeName(server)}/${encodeName(database)}`;
}

/**
 * Workflow id of a backup of a database; one that a schedule starts has the time behind it. Who dumps it to another
 * place has another fingerprint, and waits for none of the others.
 */
export function backupWorkflowId({ server, database, fingerprint }: BackupRequest): string {
  return `backup/${encodeName(server)}/${encodeName(database)}/${fingerprint}`;
}

/** Id of the schedule of a service; what is left out ends the beginning that all share. */
export function serviceScheduleId(
  ...names: readonly [] | readonly [mode: string, server: string, database: string]
): string {
  return `service/${names.map(encodeName).join('/')}`;
}

/** Workflow id of what drops the old database of a swap in time. */
export function oldDatabaseWorkflowId(server: string, old: string): string {
  return `old/${encodeName(server)}/${encodeName(old)}`;
}

/**
 * An archive's name as the workflows carry it: its key relative to the folder of its table or, where it lies
 * elsewhere, the whole key behind a slash.
 */
export function archiveName(folder: string, key: string): string {
  const name = key.slice(folder.length);
  return key.startsWith(folder) && !isOutside(name) ? name : `/${key}`;
}

/** The key of an archive, given its name as the workflows carry it. */
export function archiveKey(folder: string, name: string): string {
  return isOutside(name) ? name.slice(1) : folder + name;
}

/** Tells whether an archive lies elsewhere than in the folder of its table, by its name as the workflows carry it. */
export function isOutside(name: string): boolean {
  return name.startsWith('/');
}

/** Percent-encodes a name, dots too, so that `schema.table` splits at its only dot. */
export function encodeName(name: string): string {
  return encodeURIComponent(name).replaceAll('.', '%2E');
}
