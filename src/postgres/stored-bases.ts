import type pg from 'pg';
import type { SnapshotTableName, SnapshotType } from '../contract/snapshot.ts';
import { qualifiedName } from './identifier.ts';
import { exactIsoTime } from './kept.ts';
import { resolveTableNames } from './snapshot-names.ts';
import { databaseError } from './sqlstate.ts';

/** A row of `backup_pitr_snapshots` from which tables can be brought forward. */
export interface StoredBase {
  readonly id: string;
  readonly type: SnapshotType;
  /** ISO 8601, to the microsecond. */
  readonly createdAt: string;
  readonly tables: readonly SnapshotTableName[];
}

/** Rows that are looked at in each schema, the newest first. */
const most = 100;

/**
 * The snapshots of a tenant that are not later than a time and not expired, the newest first.
 *
 * @throws ThawError what the database refuses
 */
export async function listBases(client: pg.Client, tenant: string, to: string): Promise<StoredBase[]> {
  try {
    const { rows: schemas } = await client.query<{ schema: string }>(
      `select n.nspname::text as schema from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relname = 'backup_pitr_snapshots' and c.relkind in ('r', 'p')`,
    );
    const bases: StoredBase[] = [];
    for (const { schema } of schemas) {
      const { rows } = await client.query<Omit<StoredBase, 'tables'> & { names: readonly string[] }>(
        `select id::text, snapshot_type as type, ${exactIsoTime('created_at')} as "createdAt",
           array(select jsonb_object_keys(snapshot_data)) as names
         from ${qualifiedName(schema, 'backup_pitr_snapshots')}
         where tenant_id::text = lower($1) and created_at <= $2::timestamptz
           and (expires_at is null or expires_at > clock_timestamp()) and status in ('active', 'rolled_back')
           and jsonb_typeof(snapshot_data) = 'object'
         order by created_at desc limit ${most}`,
        [tenant, to],
      );
      for (const { names, ...base } of rows) {
        bases.push({ ...base, tables: await resolveTableNames(client, names, [schema]) });
      }
    }
    return bases.toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  } catch (error) {
    throw databaseError(error, { object: 'backup_pitr_snapshots' });
  }
}
