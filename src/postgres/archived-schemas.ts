import type pg from 'pg';
import type { ArchivedSchema } from '../archive/metadata.ts';

/** A schema that a restore has found, and the archive that it was written with. */
export interface RecordedSchema {
  /** Full key. */
  readonly key: string;
  readonly schema: ArchivedSchema;
}

/** Notes the schemas that a restore has found, so that every load knows which holds for its archives. */
export async function recordSchemas(
  client: pg.Client,
  restoreId: string,
  oid: number,
  schemas: readonly RecordedSchema[],
): Promise<void> {
  await client.query(
    `insert into thaw.archived_schemas (restore_id, target_oid, key, schema)
     select $1, $2, * from unnest($3::text[], $4::jsonb[])
     on conflict (restore_id, target_oid, key) do update set schema = excluded.schema`,
    [restoreId, oid, schemas.map(({ key }) => key), schemas.map(({ schema }) => JSON.stringify(schema))],
  );
}

/** The schemas that a restore has found; their order is that of archives, which only keys tell. */
export async function readSchemas(
  client: pg.Client,
  restoreId: string,
  oid: number,
): Promise<RecordedSchema[]> {
  const { rows } = await client.query<RecordedSchema>(
    `select key, schema from thaw.archived_schemas where restore_id = $1 and target_oid = $2`,
    [restoreId, oid],
  );
  return rows;
}
