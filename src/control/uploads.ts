import type { ControlClient } from './control-database.ts';
import { onlyRow } from './saved-records.ts';

/** A bundle that was sent, and where it lies. */
export interface UploadRow {
  readonly id: string;
  readonly tenant: string;
  readonly filename: string | null;
  readonly bytes: number;
  readonly sha256: string;
  /** In the store. */
  readonly key: string;
  readonly created_by: string;
  readonly created_at: Date;
  readonly expires_at: Date;
}

/** An upload that is to be written down. */
export type NewUpload = Omit<UploadRow, 'created_at' | 'expires_at'>;

/** Writes an upload down; of one that is there already, how large it has come to be. @param keep seconds that it is kept */
export async function insertUpload(
  client: ControlClient,
  upload: NewUpload,
  keep: number,
): Promise<UploadRow> {
  const { id, tenant, filename, bytes, sha256, key, created_by } = upload;
  const { rows } = await client.query<UploadRow>(
    `insert into thaw_api.uploads (id, tenant, filename, bytes, sha256, key, created_by, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8))
     on conflict (id) do update set bytes = excluded.bytes, sha256 = excluded.sha256
     returning *`,
    [id, tenant, filename, bytes, sha256, key, created_by, keep],
  );
  return onlyRow(rows);
}

/** An upload that is still kept; null where the tenant has none of that id. A tenant of null sees those of all. */
export async function readUpload(
  client: ControlClient,
  id: string,
  tenant: string | null,
): Promise<UploadRow | null> {
  const { rows } = await client.query<UploadRow>(
    `select * from thaw_api.uploads
     where id = $1 and ($2::text is null or tenant = $2) and removed_at is null and expires_at > now()`,
    [id, tenant],
  );
  return rows[0] ?? null;
}

/** Forgets an upload whose bytes never came to lie in the store. */
export async function deleteUpload(client: ControlClient, id: string): Promise<void> {
  await client.query('delete from thaw_api.uploads where id = $1', [id]);
}

/**
 * Marks uploads as removed whose time is over; those of runs that go on are left. In a transaction, whose end makes
 * it true: others pass them over until then.
 *
 * @returns their keys
 */
export async function takeExpiredUploads(client: ControlClient, limit: number): Promise<string[]> {
  const { rows } = await client.query<{ key: string }>(
    `update thaw_api.uploads set removed_at = now()
     where id in (
       select upload.id from thaw_api.uploads as upload
       where upload.removed_at is null and upload.expires_at <= now()
         and not exists (
           select from thaw_api.restore_runs as run
           where run.status in ('pending', 'queued', 'running')
             and upload.key in (run.request #>> '{bundle,source,key}', run.request #>> '{snapshot,selection}'))
       order by upload.expires_at limit $1
       for update skip locked)
     returning key`,
    [limit],
  );
  return rows.map(({ key }) => key);
}
