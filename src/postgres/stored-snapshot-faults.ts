import type pg from 'pg';
import { qualifiedName } from './identifier.ts';
import { databaseError } from './sqlstate.ts';
import type { StoredSnapshot } from './stored-snapshot.ts';

/** What a row of `backup_pitr_snapshots` says of itself, beside its data. */
export interface StoredClaims {
  readonly affectedTables: readonly string[];
  /** `jsonb_typeof` of its data; null: it is NULL. */
  readonly form: string | null;
  /** Of those, such as its data has no array of rows for. */
  readonly without: readonly string[];
  /** Its data is not what its checksum was taken of. */
  readonly altered: boolean;
}

/** Reads what a snapshot says of itself; it is there. */
export async function readStoredClaims(
  client: pg.Client,
  { schema, id }: StoredSnapshot,
): Promise<StoredClaims> {
  try {
    const { rows } = await client.query<StoredClaims>(
      `select coalesce(affected_tables, '{}') as "affectedTables", jsonb_typeof(snapshot_data) as form,
         array(select name from unnest(affected_tables) as name
           where jsonb_typeof(snapshot_data -> name) is distinct from 'array') as without,
         coalesce(metadata ->> 'checksum' = 'sha256 of snapshot_data::text'
           and checksum is distinct from encode(sha256(convert_to(snapshot_data::text, 'UTF8')), 'hex'), false) as altered
       from ${qualifiedName(schema, 'backup_pitr_snapshots')} where id::text = lower($1)`,
      [id],
    );
    return rows[0] ?? { affectedTables: [], form: null, without: [], altered: false };
  } catch (error) {
    throw databaseError(error, { object: `${schema}.backup_pitr_snapshots ${id}` });
  }
}
