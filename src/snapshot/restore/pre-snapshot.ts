import { createHash } from 'node:crypto';
import {
  type CreateSnapshotRequest,
  type SnapshotRequest,
  type SnapshotTableName,
  snapshotDefaults,
} from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { findManifest, removeSnapshot, type SnapshotPlace } from '../container/stored-snapshots.ts';
import type { ChosenTable } from './choose-tables.ts';

/** Seconds that what a restore can be undone by is kept. */
const kept = 30 * 24 * 60 * 60;

/**
 * The snapshot that is taken of tables before a restore changes them. Its id follows from that of the restore, so that
 * whoever does it again finds it.
 */
export function preSnapshotOf(
  request: SnapshotRequest,
  chosen: readonly ChosenTable[],
): CreateSnapshotRequest {
  const { restoreId, fingerprint, database, by, heartbeatSeconds } = request;
  const tenant = chosen.find((table) => table.tenant !== null)?.tenant ?? null;
  const whole = tenant === null ? [] : chosen.filter((table) => table.tenant === null).map(nameOf);
  return {
    ...{ id: preSnapshotId(restoreId), fingerprint, database, by, type: 'pre_restore' },
    name: `before restore ${restoreId}`,
    tables: chosen.map(nameOf),
    ...{ schemas: [], tenant, whole, keep: kept, ...snapshotDefaults },
    ...(heartbeatSeconds === undefined ? {} : { heartbeatSeconds }),
  };
}

function nameOf({ target: { schema, table } }: ChosenTable): SnapshotTableName {
  return { schema, table };
}

/** Its id, which has no more than 32 characters however long that of the restore is. */
export function preSnapshotId(restoreId: string): string {
  const id = `${restoreId}-before`;
  if (/^[a-z0-9-]{1,32}$/.test(id)) return id;
  return `before-${createHash('sha256').update(restoreId).digest('hex').slice(0, 24)}`;
}

/**
 * Sees that what a restore is to be undone by still lies in the store, before anything is changed: whoever deletes
 * snapshots may not have known of a restore that showed no sign of life for long.
 *
 * @throws ThawError `ArchiveNotFound`
 */
export async function demandPreSnapshot(place: SnapshotPlace, restoreId: string): Promise<void> {
  const id = preSnapshotId(restoreId);
  if ((await findManifest(place, id)) !== null) return;
  throw new ThawError('ArchiveNotFound', `Snapshot ${id} of what was there was deleted meanwhile.`, {
    object: id,
    hint: 'Nothing was changed. Restore again: another one is taken then.',
  });
}

/** Removes what was taken before a restore that has changed nothing: it would be undone by nobody. */
export async function removePreSnapshot(place: SnapshotPlace, id: string): Promise<void> {
  const manifest = await findManifest(place, id);
  if (manifest?.type === 'pre_restore') await removeSnapshot(place, id);
}
