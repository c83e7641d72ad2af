import type pg from 'pg';
import type { SnapshotSource } from '../contract/snapshot.ts';
import { readKept } from './kept.ts';

/** What tells a snapshot from any other, as restores of it are recorded. */
export interface SourceName {
  readonly kind: SnapshotSource['kind'];
  /** The store, or the schema of the table of snapshots. */
  readonly place: string;
  /** The id, or the key of the object. */
  readonly id: string;
  /** The entity tag of an object, which may be replaced; null for the others. */
  readonly version: string | null;
}

/** Whether a snapshot was restored into this database, and that was not undone since. */
export async function wasRestored(
  client: pg.Client,
  { kind, place, id, version }: SourceName,
): Promise<boolean> {
  const rows = await readKept<{ one: number }>(
    client,
    'thaw.snapshot_restores',
    `select 1 as one from thaw.snapshot_restores
     where source_kind = $1 and source_place = $2 and source_id = $3 and source_version is not distinct from $4
       and merged_at is not null and undone_at is null
     limit 1`,
    [kind, place, id, version],
  );
  return rows.length > 0;
}
