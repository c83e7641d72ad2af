import { createHash } from 'node:crypto';
import {
  type CreateSnapshotRequest,
  type SnapshotRequest,
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
 *
 * @throws ThawError `InputInvalid` where whole tables are restored beside the part of a tenant, which no snapshot holds
 */
export function preSnapshotOf(
  request: SnapshotRequest,
  chosen: readonly ChosenTable[],
): CreateSnapshotRequest {
  const { restoreId, fingerprint, database, by, heartbeatSeconds } = request;
  const tenants = new Map(chosen.map(({ tenant }) => [JSON.stringify(tenant), tenant]));
  const [tenant = null, ...others] = tenants.values();
  if (others.length > 0) {
    throw new ThawError(
      'InputInvalid',
      'Some of the tables are restored as a whole, and of others the part of a tenant: no one snapshot can be taken of them before.',
      {
        object: '--table',
        hint: 'Restore them one after another with --table, or take a snapshot yourself and give --no-pre-snapshot.',
      },
    );
  }
  return {
    ...{ id: preSnapshotId(restoreId), fingerprint, database, by, type: 'pre_restore' },
    name: `before restore ${restoreId}`,
    tables: chosen.map(({ target: { schema, table } }) => ({ schema, table })),
    ...{ schemas: [], tenant, keep: kept, ...snapshotDefaults },
    ...(heartbeatSeconds === undefined ? {} : { heartbeatSeconds }),
  };
}

/** Its id, which has no more than 32 characters however long that of the restore is. */
export function preSnapshotId(restoreId: string): string {
  const id = `${restoreId}-before`;
  if (/^[a-z0-9-]{1,32}$/.test(id)) return id;
  return `before-${createHash('sha256').update(restoreId).digest('hex').slice(0, 24)}`;
}

/** Removes what was taken before a restore that has changed nothing: it would be undone by nobody. */
export async function removePreSnapshot(place: SnapshotPlace, id: string): Promise<void> {
  const manifest = await findManifest(place, id);
  if (manifest?.type === 'pre_restore') await removeSnapshot(place, id);
}
