import type { ThawConfig } from '../config/thaw-config.ts';
import { formatCounted } from '../restore/format.ts';
import {
  expiredSnapshots,
  type FoundSnapshots,
  listSnapshots,
  readManifest,
  removeSnapshot,
  type SnapshotPlace,
  summaryOf,
} from '../snapshot/container/stored-snapshots.ts';
import { removeUnused, splitUnused } from '../snapshot/container/unused-snapshots.ts';
import { openStore } from '../store/open-store.ts';
import { confirmByName } from './confirm.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { Printer } from './printer.ts';
import { snapshotsLines, summaryLines } from './snapshot-lines.ts';

/** What commands about snapshots in the store have in common. */
export interface StoredJob {
  readonly config: ThawConfig;
  readonly json: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
}

/** Prints the snapshots in the store, the newest first. @param database null: of all */
export async function printSnapshots(job: StoredJob, database: string | null): Promise<ExitCode> {
  const { json, printer } = job;
  return inStore(job, async (place) => {
    const found = readable(await listSnapshots(place), printer);
    const snapshots = found.map(summaryOf).filter((one) => database === null || one.database === database);
    if (json) printer.line(JSON.stringify({ snapshots }));
    else for (const line of snapshotsLines(snapshots, Date.now())) printer.line(line);
    return exitCodes.done;
  });
}

/** Prints what a snapshot holds: as JSON, its manifest. @throws ThawError `ArchiveNotFound`, `MetadataInvalid` */
export async function printSnapshot(job: StoredJob, id: string): Promise<ExitCode> {
  const { json, printer } = job;
  return inStore(job, async (place) => {
    const manifest = await readManifest(place, id);
    if (json) printer.line(JSON.stringify(manifest));
    else for (const line of summaryLines(summaryOf(manifest))) printer.line(line);
    return exitCodes.done;
  });
}

/**
 * Deletes a snapshot, once its id was typed where nobody has said yes before.
 *
 * @throws ThawError `ArchiveNotFound`; `InputInvalid` where there is no terminal to ask at; `TargetBusy` while a restore
 * needs it
 */
export async function deleteSnapshot(job: StoredJob, id: string, isSure: boolean): Promise<ExitCode> {
  const { json, printer } = job;
  return inStore(job, async (place) => {
    const { tables, totalRows } = await readManifest(place, id);
    const what = `${formatCounted(tables.length, 'table')} and ${formatCounted(totalRows, 'row')}`;
    const consequences = [`Deletes snapshot ${id} of ${what}, for good.`];
    if (!isSure && !(await confirmByName(id, consequences))) {
      printer.aside('Nothing was deleted.');
      return exitCodes.failed;
    }
    await removeUnused(place, job, id);
    printer.line(json ? JSON.stringify({ deleted: [id] }) : `Deleted ${id}.`);
    return exitCodes.done;
  });
}

/**
 * Deletes what was to be kept until now or before, but for what a restore needs; of a dry run only tells which they are.
 */
export async function expireSnapshots(job: StoredJob, dryRun: boolean): Promise<ExitCode> {
  const { json, printer } = job;
  return inStore(job, async (place) => {
    const due = readable(await expiredSnapshots(place, Date.now()), printer).map(({ id }) => id);
    const { unused, kept } = await splitUnused(job, due);
    for (const id of dryRun ? [] : unused) await removeSnapshot(place, id);
    if (json) printer.line(JSON.stringify({ [dryRun ? 'expired' : 'deleted']: unused, kept }));
    else for (const id of unused) printer.line(dryRun ? `${id} has expired.` : `Deleted ${id}.`);
    for (const { snapshotId, restoreId } of kept)
      printer.aside(`${snapshotId} has expired, and is kept while restore ${restoreId} needs it.`);
    if (!json && due.length === 0) printer.line('No snapshot has expired.');
    return exitCodes.done;
  });
}

async function inStore(
  { config, env }: StoredJob,
  action: (place: SnapshotPlace) => Promise<ExitCode>,
): Promise<ExitCode> {
  const store = openStore(config.store, env);
  try {
    return await action({ store, prefix: config.store.prefix });
  } finally {
    store.close();
  }
}

/** Those that can be read; of others it is said that they cannot. */
function readable({ snapshots, unreadable }: FoundSnapshots, printer: Printer): FoundSnapshots['snapshots'] {
  for (const { id, error } of unreadable) printer.aside(`Note: ${id}: ${error.message}`);
  return snapshots;
}
